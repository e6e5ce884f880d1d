"""`liangding security key rotate|list`: the key that signs, changed by two people; those before it."""

from typing import Any

import click

from adapters.crypto.sm2 import pem_of
from adapters.files.checkpoints import plain
from gateway.app.acting import Credentials, acting, told, waits
from gateway.app.audit_verify import keys_of
from gateway.app.say import Outside, load, show
from gateway.app.security_desk import security_desk
from gateway.app.signing_rotation import propose
from gateway.core.dates import shanghai

_CONFIG = click.argument("config", type=click.Path())
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")


@click.group(help="签名密钥：签审计检查点和固化的日子；由两人更换，旧公钥保留")
def key() -> None:
    """`liangding security key`."""


@key.command(help="更换签名密钥：提出，另一人批准后执行")
@_CONFIG
@click.option("--reason", required=True, help="理由，记入审计")
@acting
@_JSON
@click.pass_obj
def rotate(outside: Outside, config: str, reason: str, as_json: bool, credentials: Credentials) -> None:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy) as desk:
        number = propose(desk, credentials.person(desk), reason).id
    text = f"已提出更换签名密钥，待另一人批准：{waits(found, number)}"
    show({"ok": True, "approval": number}, [text], as_json)


@key.command("list", help="现用和以前的签名公钥，各对哪些记录有效；--json另有每次交接的内容和两个签名，可自行核对")
@_CONFIG
@_JSON
def list_keys(config: str, as_json: bool) -> None:
    settings = load(config, as_json)
    with told(as_json):
        ring = keys_of(settings)
    rows: list[dict[str, Any]] = []
    for one in ring.keys:
        first = rows[-1]["last_entry"] + 1 if rows else 1
        until = f"{shanghai(one.last_ms / 1000):%Y-%m-%d %H:%M:%S}" if one.last_ms else ""
        rows.append(
            {"public": one.public.hex(), "pem": pem_of(one.public), "first_entry": first,
             "last_entry": one.last_entry, "until": until}
        )  # fmt: skip
    handed = [plain(one) for one in ring.hand_overs]
    lines = [
        f"{row['public'][:16]}…  审计记录第{row['first_entry']}条起"
        + (f"至第{row['last_entry']}条，{row['until']}停用" if row["until"] else "，现用")
        for row in rows
    ]
    show({"keys": rows, "hand_overs": handed, "faults": list(ring.faults)}, [*lines, *ring.faults], as_json)
