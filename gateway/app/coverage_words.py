"""The words of the coverage report: names of libraries, why a code is missing, what to do, what each figure means."""

from collections.abc import Mapping

from gateway.app.codes_coverage import Coverage
from gateway.codes.assessment import Duty

# Slots of the evidence whose code nobody proposed: which library it belongs to cannot be known.
_SLOTS = {
    "item": "未归类的药品、项目、耗材",
    "disease": "未归类的病种",
    "institution": "未归类的机构",
}
# state -> (what it is, what to do)
STATES: Mapping[str, tuple[str, str]] = {
    "never_proposed": ("日志中在用，从未提交对码", "补入对码文件并提交复核"),
    "incomplete": ("没有国家编码", "查找国家编码；确实没有的，在依据中以no_code:说明"),
    "draft": ("已提交，待复核", "由另一人复核：codes map approve"),
    "refused": ("复核未通过", "按复核意见改正后重新提交"),
    "out_of_dates": ("仍在使用，对码不在生效期内", "延长生效期，或停用该院内编码"),
    "several_targets": ("同一天对应多个国家编码（MA03）", "只保留一个，其余填失效日期"),
    "not_in_library": ("国家编码不在目录中（MA06）", "核对国家编码，或更新国家目录"),
    "library_expired": ("国家编码已停用或过期（MA05）", "改对到有效的国家编码"),
}
RATES = {"maintained": "维护率", "coded": "赋码率", "right": "对照正确率"}


def name_of(system: str, duty: Duty) -> str:
    """Return a library's short name for people."""
    keeper = duty.systems.get(system)
    return keeper.title if keeper is not None else _SLOTS.get(system, system)


def notes(found: Coverage) -> list[str]:
    """Say exactly what the figures mean and what they cannot know."""
    last = found.last
    targets = "；".join(f"{one.title}{one.percent}%（{one.source}）" for one in found.duty.targets.values())
    absent = [name_of(system, found.duty) for system in found.owed() if system not in found.imported]
    lines = [
        f"统计期：{last.name}-01至{last.day}；对码状况以{last.day}日终为准。往月按当月最后一天已审核的对码计算，国家编码"
        "是否有效按现行国家目录记载的起止日期判断。",
        "在用项目：截至统计日提交过对码的院内编码，加上统计期内交易日志中出现过的院内编码；经两人审核确认没有国家编码"
        "（no_code:）的不计入，已停用或尚未生效、且停用后没有再使用的不计入。",
        "按国家编码结算的机构，含未对码编码的请求在网关即被拒绝，不进入日志；机构直接上传国家编码的也不留对码记录。这两种"
        "编码不在统计之内，所以应把院内目录全部导入（没有国家编码的留空），分母才完整。",
        "维护率＝有国家编码的对码（已审核或待复核）÷在用项目。对码表只有编码、有效期和依据，项目的其他属性不在此核对。",
        "赋码率＝统计日有且只有一个已审核、在国家目录中有效的国家编码的项目÷在用项目。机构自行上传国家编码且从未对码的，"
        "以使用当日有效为准。",
        "对照正确率＝目标唯一、在目录中且有效的对码÷统计日生效的对码。只查MA03一对多、MA05停用过期、MA06不在目录；其他审核"
        "规则用codes map check。",
        "按使用加权＝统计期内使用时已有国家编码的编码处数÷全部编码处数（拒绝、未送达、已冲正的请求和对照上传3301、3302不计；撤销的明细不扣除）。",
        "按金额加权：日志不保存每条明细的金额，所以不把金额分摊到编码。一笔结算的总额（medfee_sumamt）按就诊整笔计入它用到的每"
        "个标准；该次就诊中这个标准的编码使用时都有国家编码的，整笔计为已赋码。各标准的金额因此不能相加。已撤销的结算不计；明细早于"
        "统计首月前92天上传的，只看其后的编码；挂号、入院登记（2201、2401）中的编码不归到就诊。",
        f"百分比一律舍去尾数，不四舍五入（98.995%写作98.99%）。目标：{targets}。",
    ]
    if absent:
        lines.append(f"没有导入国家目录：{'、'.join(absent)}。这些标准的编码只核对格式，不能判断是否有效。")
    if any(system in _SLOTS for one in found.institutions for system in one.figures[last.name]):
        lines.append("“未归类”：日志中有、从未提交对码的编码，网关无法判断属于哪个标准，单列一行，按未达标处理。")
    return lines
