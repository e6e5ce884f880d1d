"""`liangding lists upload`: an order to the running node to send every list that is complete (annex X35)."""

import click

from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_say import explained, operator_of
from gateway.app.lists_uploading import KIND
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show

_SHOWN = 20
_WORDS = {
    "uploaded": "上传成功", "found": "应答丢失、查询确认已上传", "same": "已在平台、没有变化", "refused": "平台拒绝",
    "changed": "上传后有变化", "unknown": "结果未知",
}  # fmt: skip


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
