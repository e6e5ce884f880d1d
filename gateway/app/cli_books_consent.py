"""`liangding books consent`: a party's consent to a frozen day, by its signature or by an operator of it (§6.5)."""

from pathlib import Path

import attrs
import click

from adapters.store.books_freeze import Consent, FreezeRow
from adapters.store.books_freeze_writer import FreezeWriter
from gateway.app.acting import Credentials, acting
from gateway.app.books_freeze_desk import CONSENT, consent_words
from gateway.app.books_region import ROLES, writing
from gateway.app.cli_books_freeze import day, explained, scope_of
from gateway.app.config import Config
from gateway.app.consent_keys import ConsentKeyError, consent_keys, proves
from gateway.app.say import FAILED, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.books.consenting import OPERATOR, PARTIES, SIGNATURE, TITLES, same_person
from gateway.core.approval import NotAllowed

_BYTES_MAX = 8_192


@click.command(help="记录一方对固化的确认：其SM2签名（--signature，按登记的公钥核对），或经办人（--operator）")
@click.argument("config", type=click.Path())
@click.option("--date", "date", required=True, help="业务日期，yyyy-MM-dd")
@click.option("--role", type=click.Choice(ROLES), default="care", show_default=True)
@click.option("--scope", required=True, help="定点机构编码，全市用'*'")
@click.option("--party", type=click.Choice(PARTIES), required=True, help="INST医药机构，AGY经办机构")
@click.option("--operator", default="", help="该方经办人编号；双方都这样确认的，须由两人分别登记")
@click.option("--signature", type=click.Path(path_type=Path, dir_okay=False), help="对固化摘要的签名文件（DER）")
@click.option("--public", type=click.Path(path_type=Path, dir_okay=False), help="该方公钥的十六进制文本；须是登记的")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def consent(
    outside: Outside, config: str, date: str, role: str, scope: str, party: str, operator: str,
    signature: Path | None, public: Path | None, as_json: bool, credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    where = (role, scope_of(settings, scope, as_json), day(date, as_json))
    if (signature is None) == (not operator) or (signature is None and public is not None):
        end(USAGE, "请给出--operator，或--signature（可加--public）", as_json=as_json)
    with explained(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        desk.allow(person, "books.decide")
        with writing(settings) as connection:
            writer = FreezeWriter(connection)  # the only one: nobody else consents meanwhile
            row = writer.day(*where)
            if row is None:
                end(FAILED, "[BF-OPEN] 此日没有固化", as_json=as_json)
            kind, given = (SIGNATURE if signature is not None else OPERATOR), writer.consents(row.id)
            subject = ":".join(where)
            try:
                if any(one.party == party for one in given):
                    raise NotAllowed("BF-CONSENT", f"{party}已确认过此日，确认不能更改")
                if kind == OPERATOR and same_person(given, party, person.name):
                    text = f"{person.name}已登记过另一方的确认，双方须由两人分别登记，或由一方签名"
                    raise NotAllowed("BF-SAME-PERSON", text)
                proof = operator
                if signature is not None:
                    proof = _signed(settings, row, party, signature, public, as_json)
            except NotAllowed as cause:
                why = f"{party} {kind}"
                desk.trail.record(person.name, CONSENT, subject, before=row.freeze_sm3, reason=why, result=cause.code)
                raise
            one = Consent(party, kind, person.name, proof, int(outside.now() * 1000))
            desk.trail.record(person.name, CONSENT, subject, before=row.freeze_sm3, after=consent_words(one))
            if not writer.consent(row.id, one):
                end(FAILED, f"[BF-CONSENT] {party}已确认过此日，确认不能更改", as_json=as_json)
    show({"freeze_sm3": row.freeze_sm3, **attrs.asdict(one)}, [f"{scope} {date}：{party}已确认"], as_json)


def _signed(config: Config, row: FreezeRow, party: str, signature: Path, public: Path | None, as_json: bool) -> str:
    """Return what proves a consent by signature: the signature and the registered key it is of, in hex. Raises
    NotAllowed."""
    try:
        keys = consent_keys(config, row.scope)[party]
        named = None if public is None else bytes.fromhex(public.read_bytes()[:_BYTES_MAX].decode("ascii").strip())
    except ConsentKeyError as cause:
        end(USAGE, str(cause), as_json=as_json)
    except ValueError:
        end(USAGE, f"公钥应为64字节的十六进制文本：{public}", as_json=as_json)
    if not keys or (named is not None and named not in keys):
        what = "没有登记公钥" if not keys else "给出的公钥不是登记的那一把"
        where = "[books] agency_consent_key_file" if party == "AGY" else "[[institution]] consent_key_file"
        raise NotAllowed("BF-KEY", f"{TITLES[party]}{what}（{where}）：签名只按登记的公钥核对")
    with signature.open("rb") as file:
        found = file.read(_BYTES_MAX)
    message = bytes.fromhex(row.freeze_sm3)
    key = next((one for one in ([named] if named is not None else keys) if proves(one, message, found)), None)
    if key is None:
        text = "签名不成立：应为登记的密钥对固化摘要（32字节）的SM2签名，DER编码"
        raise NotAllowed("BF-SIGN", text)
    return f"{found.hex()} {key.hex()}"
