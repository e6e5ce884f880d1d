"""What the demo shows of settlements nobody knew the end of: how many there were and what became of them."""

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.table import Table

from simulators.wording import Json

OPEN = frozenset({"JOURNALED", "SENT", "IN_DOUBT", "REVERSING"})
UNSETTLED = OPEN | {"MANUAL"}
_COLUMNS = ("陷入未知", "冲正收回", "冲正时查无此笔", "查询确认成功", "查询确认没有", "迟到的答复", "转人工", "未了结")


def doubts_of(rows: Iterable[Json]) -> list[Json]:
    """The money rows of a journal (list --full) that were in doubt at any time, not the reversals themselves."""
    return [
        row for row in rows if row["infno"] != "2601" and any(event["state"] == "IN_DOUBT" for event in row["events"])
    ]


def end_of(row: Json) -> str:
    """Which column a doubt is counted in."""
    if row["state"] == "REVERSED":
        absent = row["events"][-1]["reason"] == "reversed_absent"
        return "冲正时查无此笔" if absent else "冲正收回"
    if row["state"] in OPEN:
        return "未了结"
    return {"CONFIRMED": "查询确认成功", "ABSENT": "查询确认没有", "MANUAL": "转人工"}.get(row["state"], "迟到的答复")


def table_of(doubts: list[Json], names: Mapping[str, str]) -> Table:
    """One line an institution, and the sum."""
    table = Table(title="没有等到答复的结算（道路故意丢失答复），网关自行了结", title_justify="left")
    table.add_column("机构")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for code, title in [*names.items(), ("", "合计")]:
        own = [row for row in doubts if code in ("", row["fixmedins_code"])]
        ends = Counter(end_of(row) for row in own)
        table.add_row(title, str(len(own)), *(str(ends[name]) for name in _COLUMNS[1:]))
    return table


def example_of(doubts: list[Json]) -> str:
    """The msgid of a reversed settlement whose story is the longest; '' without one."""
    found = [row for row in doubts if row["state"] == "REVERSED"]
    taken = [row for row in found if end_of(row) == "冲正收回"] or found
    return (
        str(max(taken, key=lambda row: row["events"][-1]["number"] - row["events"][0]["number"])["msgid"])
        if taken
        else ""
    )
