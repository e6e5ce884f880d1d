"""`liangding journal decide`: what became of a record that waits for people, proposed by one, approved by another."""

import json
from pathlib import Path

import click

from adapters.store.journal_reader import NotAJournal, reading
from gateway.app.acting import Credentials, acting, told, waits
from gateway.app.config import Config
from gateway.app.journal_deciding import KIND, OUTCOMES, proposal
from gateway.app.say import FAILED, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.core.model import Entry

_NODE_BYTES_MAX = 65_536


@click.command("decide", help="待人工处理的交易：一人提出其结果，另一人批准后由节点执行")
@click.argument("config", type=click.Path())
@click.argument("msgid")
@click.option("--institution", required=True, help="定点医药机构编号")
@click.option(
    "--outcome",
    required=True,
    type=click.Choice(sorted(OUTCOMES)),
    help="confirmed已成功，reversed已冲正，absent没有发生，reverse现在冲正",
)
@click.option(
    "--record",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="confirmed：平台的记录，JSON对象，如setl_id、mdtrt_id、medfee_sumamt（元）",
)
@click.option("--reason", required=True, help="理由和凭据，记入审计")
@acting
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def decide_command(
    outside: Outside, config: str, msgid: str, institution: str, outcome: str, record: Path | None, reason: str,
    as_json: bool, credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    found, original = _waiting(settings, institution, msgid, as_json)
    node = _record(record, as_json)
    word, title = OUTCOMES[outcome]
    with told(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        content = proposal(found, original, word, node)
        approval = desk.approvals.propose(person, KIND, f"journal:{institution}:{msgid}", content, reason)
    text = f"{msgid}：{title}，已提出，待另一人批准：{waits(settings, approval.id)}"
    show({"msgid": msgid, "outcome": outcome, "approval": approval.id}, [text], as_json)


def _waiting(config: Config, institution: str, msgid: str, as_json: bool) -> tuple[Entry, Entry]:
    """Return the record and what its reversal would take back; ends the command unless it waits for people."""
    if not config.journal.exists():
        end(FAILED, f"日志库不存在：{config.journal}", as_json=as_json)
    try:
        with reading(config.journal) as reader:
            rows = reader.rows(institution, msgid)
            original = reader.taken_back_by(rows[0]) if rows else None
    except NotAJournal as cause:
        end(FAILED, f"日志库打不开（不是交易日志，或已损坏）：{config.journal}：{cause}", as_json=as_json)
    if not rows:
        end(FAILED, f"日志中没有{institution}的报文{msgid}", as_json=as_json)
    if rows[0].state != "MANUAL":
        end(FAILED, f"报文{msgid}不是“待人工处理”，不能由人决定", as_json=as_json)
    return rows[0], original or rows[0]


def _record(path: Path | None, as_json: bool) -> dict[str, str]:
    """Return the platform's record; every value as text, numbers as they are written."""
    if path is None:
        return {}
    raw = path.read_bytes()
    try:
        found = json.loads(raw, parse_float=str, parse_int=str) if len(raw) <= _NODE_BYTES_MAX else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        end(USAGE, f"--record应为一个JSON对象，值为文本或数字：{path}", as_json=as_json)
    return found
