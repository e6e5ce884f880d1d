"""`liangding lists upload|results`: orders to the running node: send what is complete, bring back what came of it."""

import re
from pathlib import Path

import click

from adapters.files.export import write_table
from adapters.store.lists import OtherLists, reading
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_say import explained, operator_of
from gateway.app.config import Config
from gateway.app.lists_desk import SCRIPTS as LISTS_SCRIPTS
from gateway.app.lists_results import KIND as RESULTS
from gateway.app.lists_rules import rule_set
from gateway.app.lists_uploading import KIND
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.core.dates import day_of
from gateway.lists.quality import RETURNED, rules_about

_SHOWN = 20
RULES_MAX = 10
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
COLUMNS = (
    "setl_id", "qltctrl_rslt", "err_lv", "retn_flag", "exam_data_fld", "qltctrl_chk_rslt", "dept", "doctor", "rules",
)  # fmt: skip
_WORDS = {
    "uploaded": "上传成功", "found": "应答丢失、查询确认已上传", "same": "已在平台、没有变化", "refused": "平台拒绝",
    "submitted": "已提交", "unsubmitted": "没有提交", "returned": "质控退回", "changed": "上传后有变化",
    "unknown": "结果未知", "faulty": "采集后有了错误",
}  # fmt: skip


@click.command("results", help="质控结果（4104）：由节点取回，列出被退回的清单、科室、医师和相应的检查规则")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.option("--month", "months", multiple=True, help="结算年月yyyy-MM，可重复；默认本月")
@click.option("--stored", is_flag=True, help="不向平台查询，只看已取回的")
@click.option("--out", type=click.Path(path_type=Path), help="明细写成CSV或Excel（.xlsx）")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def results(
    outside: Outside, config: str, institution: str, months: tuple[str, ...], stored: bool, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    if institution not in {one.fixmedins_code for one in settings.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if not all(MONTH.fullmatch(month) for month in months):
        end(USAGE, f"月份应为yyyy-MM：{'、'.join(months)}", as_json=as_json)
    wanted = [month.replace("-", "") for month in months or (day_of(outside.now())[:7],)]
    with explained(as_json):
        if not stored:
            _fetched(outside, settings, institution, wanted, as_json)
        rows = _stored(settings, institution, wanted, as_json)
        if out is not None:
            write_table(out, COLUMNS, rows)
    returned = {row[0] for row in rows if row[3] == RETURNED}
    lines = [f"{institution} {'、'.join(wanted)}：质控{len({row[0] for row in rows})}份，退回{len(returned)}份"]
    shown = [row for row in rows if row[4] or row[3] == RETURNED]
    lines += [
        f"  {row[0]} {row[6] or '科室不明'} {row[7] or '医师不明'} {row[4]} {row[5]}（{row[8]}）"
        for row in shown[:_SHOWN]
    ]
    show({"returned": len(returned), "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}, lines, as_json)
    raise SystemExit(FINDINGS if returned else DONE)


def _fetched(outside: Outside, settings: Config, institution: str, months: list[str], as_json: bool) -> None:
    what, who = (RESULTS, institution, ""), operator_of()
    status = order_and_wait(settings.room("codes"), SCRIPTS, what, {"months": months}, who, outside.now, as_json)
    if status.outcome == "failed":
        end(FAILED, str(status.result.get("message", "没有取回")), as_json=as_json)


def _stored(settings: Config, institution: str, months: list[str], as_json: bool) -> list[tuple[str, ...]]:
    """Return what was brought back, each line with the rules of ours that read its field."""
    try:
        with reading(settings.room("lists"), len(LISTS_SCRIPTS)) as look:
            rows = [row for month in months for row in (look.quality(institution, month) if look is not None else [])]
    except OtherLists as cause:
        end(FAILED, str(cause), as_json=as_json)
    return [(*row, "、".join(rules_about(row[4], rule_set())[:RULES_MAX]) if row[4] else "") for row in rows]


@click.command("upload", help="上传结算清单（4101）：由运行中的节点上传全部检查通过、尚未上传的清单")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.option("--operator", default="", help="经办人；默认为系统账号")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def upload(outside: Outside, config: str, institution: str, operator: str, as_json: bool) -> None:
    settings = load(config, as_json)
    if institution not in {one.fixmedins_code for one in settings.institution}:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    with explained(as_json):
        status = order_and_wait(
            settings.room("codes"),
            SCRIPTS,
            (KIND, institution, ""),
            {},
            operator or operator_of(),
            outside.now,
            as_json,
        )
    result = status.result
    counts, lists = result.get("counts"), result.get("lists")
    figures = [f"{_WORDS.get(what, what)}{n}份" for what, n in (counts if isinstance(counts, dict) else {}).items()]
    lines = [f"{institution}：{'，'.join(figures)}"] if figures else []
    for what, rows in (lists if isinstance(lists, dict) else {}).items():
        lines += [f"  {_WORDS.get(what, what)} 就诊{one['mdtrt_id']}：{one['message']}" for one in rows[:_SHOWN]]
    message = result.get("message")
    lines += [str(message)] if message else [] if lines else ["没有需要上传的清单"]
    show({"order": status.order.id, "outcome": status.outcome, **result}, lines, as_json)
    raise SystemExit({"done": DONE, "findings": FINDINGS}.get(status.outcome, FAILED))
