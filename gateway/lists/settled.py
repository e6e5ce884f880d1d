"""A list against the settlement the journal knows: it exists, it stands, it is the same person's and visit's."""

from collections.abc import Iterator

from gateway.core.model import Entry
from gateway.lists.reading import HEAD, Finding, Record

STANDS = frozenset({"ACKED", "CONFIRMED", "EXTERNAL"})


def findings_of(head: Record, settlement: Entry | None) -> Iterator[Finding]:
    """Yield what contradicts the journal; a list without setl_id is told by SL-R002."""
    if "setl_id" not in head.texts:
        return
    place = f"{HEAD}.setl_id"
    if settlement is None:
        yield Finding("SL-C002", "error", place, "【结算ID】在本网关的日志中没有对应的结算")
    elif settlement.cancelled or settlement.state not in STANDS:
        yield Finding("SL-C003", "error", place, "【结算ID】对应的结算已撤销、冲正或没有成功")
    elif settlement.psn_no and head.texts.get("psn_no", settlement.psn_no) != settlement.psn_no:
        yield Finding("SL-C004", "error", f"{HEAD}.psn_no", "【人员编号】与结算的人员不同")
    elif settlement.mdtrt_id and head.texts.get("mdtrt_id", settlement.mdtrt_id) != settlement.mdtrt_id:
        yield Finding("SL-C004", "error", f"{HEAD}.mdtrt_id", "【就诊ID】与结算的就诊不同")
