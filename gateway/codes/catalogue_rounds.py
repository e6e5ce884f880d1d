"""A new release of a national library, told to each institution as the list of *its* mappings that change (7.3.14).

Order of work of the rule book (mapping rules §7): the centre arranges the catalogue and the own-payment ratios, pushes,
institutions download and map again, agencies check. Decided here: what of a release changes a mapping, and how far an
institution is: whether it fetched its list, whether anything of it still points at an ended code, whether it is late.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal

import attrs
import msgspec

from gateway.codes.faults import Faults, Title
from gateway.codes.library import day_text
from gateway.core.codes import LATEST
from gateway.core.dates import day_of

Kind = Literal["replaced", "ended", "changed", "none"]
KINDS: Mapping[str, str] = {"replaced": "停用并有替代", "ended": "停用", "changed": "属性变化", "none": "无变化"}
ENDING = frozenset({"replaced", "ended"})
FAR = "2099-01-01"  # an end from here on is the agreed way to write none (mapping rules §10.7)
DETAIL_MAX = 2000

# Columns that change with every release and tell nothing about the product.
_BOOKKEEPING = frozenset({
    "ver", "ver_name", "rid", "crte_time", "updt_time", "crter_id", "crter_name", "opt_time", "opter_id", "opter_name",
    "begndate", "enddate", "vali_flag", "gray", "code_origin", "开始日期", "结束日期", "有效标志", "版本号", "版本名称",
    "唯一记录号", "数据创建时间", "数据更新时间",
})  # fmt: skip
_REPLACED_BY = ("replaced_by", "替代编码", "替代医保目录编码")


@attrs.frozen
class Version:
    """A record of a code in one release. Dates yyyy-MM-dd, '' = open; raw: its columns as JSON."""

    name: str
    begndate: str
    enddate: str
    vali_flag: str
    gray: str
    raw: str

    @property
    def last_day(self) -> str:
        """Return the last usable day: LATEST = no end, '' = not usable at all."""
        if self.vali_flag != "1" or self.gray == "1":
            return self.enddate if self.enddate < FAR else ""
        return LATEST if not self.enddate or self.enddate >= FAR else self.enddate

    def columns(self) -> dict[str, str]:
        return msgspec.json.decode(self.raw, type=dict[str, str])


@attrs.frozen
class Change:
    """What a release says about one code. last_day: of an ended code, '' = not usable at all."""

    name: str
    kind: Kind
    last_day: str = ""
    replaced_by: str = ""
    detail: str = ""


@attrs.frozen
class Item:
    """One line of an institution's list."""

    institution: str
    local: str
    national: str
    name: str
    kind: str
    last_day: str
    replaced_by: str
    detail: str


def change_of(old: Version | None, new: Version) -> Change | None:
    """Compare a code's record with the one before it (None = the code is new); None when a mapping need not care."""
    before, after = old.columns() if old else {}, new.columns()
    detail = "；".join(_differences(old, new, before, after))[:DETAIL_MAX] if old else ""
    end = new.last_day
    # An end that stood in the release before was told with it.
    if end != LATEST and (old is None or old.last_day != end):
        replaced_by = next((after[title] for title in _REPLACED_BY if after.get(title)), "")
        return Change(new.name, "replaced" if replaced_by else "ended", end, replaced_by, detail)
    if old is not None and old.last_day != LATEST and end == LATEST:
        detail = "；".join(filter(None, ("恢复使用", detail)))
    return Change(new.name, "changed", detail=detail) if detail else None


def _differences(old: Version, new: Version, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    if old.name != new.name:
        yield f"名称：{old.name}→{new.name}"
    for title in sorted(before.keys() | after.keys()):
        left, right = before.get(title, ""), after.get(title, "")
        # The name stands among the columns too; it is told once.
        if left != right and title not in _BOOKKEEPING and title not in _REPLACED_BY and left != old.name:
            yield f"{title}：{left or '空'}→{right or '空'}"


def with_prices(change: Change | None, name: str, words: Sequence[str]) -> Change | None:
    """Add what changes in own-payment ratio and limit."""
    if not words:
        return change
    found = change or Change(name, "changed")
    return attrs.evolve(found, detail="；".join(filter(None, (found.detail, *words)))[:DETAIL_MAX])


Chosen = tuple[str, str, str]  # local, national, last day of the row ('' = open)


def items_of(institution: str, rows: Iterable[Chosen], changes: Mapping[str, Change], today: str) -> Iterator[Item]:
    """Yield an institution's list, by local code; one line of kind none when nothing of it changes."""
    found = False
    for local, national, until in sorted(rows):
        change = changes.get(national)
        last = until or LATEST
        if change is None or last < today:
            continue
        if change.kind in ENDING and last <= change.last_day:
            continue  # the row ends with the code
        found = True
        yield Item(
            institution, local, national, change.name, change.kind, change.last_day, change.replaced_by, change.detail
        )
    if not found:
        yield Item(institution, "", "", "", "none", "", "", "")


# --- own-payment ratios (1319) and limits (1318) -----------------------------------------------------


@attrs.frozen
class PriceShape:
    """How a price file is read: which column holds the value, which say whose it is."""

    kind: str
    title: str
    value: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    def titles(self) -> dict[str, tuple[str, ...]]:
        labels = {f"label{place}": titles for place, titles in enumerate(self.labels)}
        return {
            "code": ("med_list_codg", "医疗目录编码", "hilist_code", "医保目录编码"),
            "value": self.value,
            "begndate": ("begndate", "开始日期"),
            "enddate": ("enddate", "结束日期"),
            "vali_flag": ("vali_flag", "有效标志"),
            **labels,
        }


RATIOS = PriceShape(
    "ratio",
    "自付比例",
    ("selfpay_prop", "自付比例"),
    (
        ("insu_admdvs", "参保机构医保区划"),
        ("selfpay_prop_psn_type", "医保目录自付比例人员类别"),
        ("selfpay_prop_type", "目录自付比例类别"),
    ),
)
LIMITS = PriceShape(
    "limit",
    "限价",
    ("hilist_pric_uplmt_amt", "医保目录定价上限金额"),
    (("insu_admdvs", "参保机构医保区划"), ("hilist_lmtpric_type", "医保目录限价类型")),
)


def prices(
    lines: Iterable[tuple[int, Sequence[str]]],
    at: Mapping[str, int],
    shape: PriceShape,
    faults: Faults,
    title: Title = str,
) -> Iterator[tuple[str, str, str]]:
    """Yield (code, whose, value) of every row without fault; add the faults. The value carries its days.

    title: what the file calls our columns.
    """
    for line, cells in lines:
        cell = {name: cells[number] for name, number in at.items()}
        before = faults.count
        if not cell["code"]:
            faults.add(line, title("code"), "MF07", "编码为空")
        days = [day_text(cell.get(name, "")) for name in ("begndate", "enddate")]
        if None in days:
            faults.add(line, title("begndate"), "MF08", "不是有效日期")
        if cell.get("vali_flag") == "0":
            value = "停用"
        else:
            value = _number(cell["value"])
            if not value:
                faults.add(line, title("value"), "MF07", f"{shape.title}应为不小于0的数字")
        if faults.count == before:
            label = "/".join(cell[name] for name in sorted(cell) if name.startswith("label") and cell[name])
            span = f"（{days[0] or '不限'}至{days[1] or '不限'}）" if any(days) else ""
            yield cell["code"], label, f"{value}{span}"


def _number(text: str) -> str:
    """Return a decimal in its one spelling, '' when it is none: 0.10 and 0.1 are one ratio."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return ""
    if not number.is_finite() or number < 0 or len(text) > 20:
        return ""
    return f"{number.normalize():f}"


Prices = Mapping[tuple[str, str], str]  # (code, whose) -> value


def price_words(shape: PriceShape, before: Prices, now: Prices) -> dict[str, list[str]]:
    """Return code -> what changes of it; a price that is not in the new list stays as it was."""
    found: dict[str, list[str]] = {}
    for (code, label), value in sorted(now.items()):
        old = before.get((code, label), "")
        if old != value:
            whose = f"（{label}）" if label else ""
            found.setdefault(code, []).append(f"{shape.title}{whose}：{old or '无'}→{value}")
    return found


# --- how far an institution is -----------------------------------------------------------------------


@attrs.frozen
class Held:
    """One mapping row in force now. since_ms: when its batch was approved."""

    local: str
    national: str
    until: str
    since_ms: int


@attrs.frozen(kw_only=True)
class Standing:
    """How far an institution is with a round. fetched, mapped: the day it was, '' = not yet."""

    institution: str
    ended: int
    changed: int
    pending: tuple[Item, ...]
    fetched: str
    mapped: str
    late: bool

    @property
    def done(self) -> bool:
        return bool(self.fetched and self.mapped)

    @property
    def overdue(self) -> bool:
        """Say whether somebody should call: late and still open."""
        return self.late and not self.done

    @property
    def state(self) -> str:
        if self.done:
            return "逾期完成" if self.late else "已完成"
        word = "待重新对码" if self.fetched else "未领取"
        return f"{word}，已逾期" if self.late else word


def standing(
    items: Sequence[Item],
    held: Iterable[Held],
    last_day_of: Callable[[str], str],
    fetched: str,
    opened_ms: int,
    due: str,
    today: str,
) -> Standing:
    """Judge one institution. held: its rows in force for the local codes of the list; last_day_of: as Version's."""
    rows: dict[str, list[Held]] = {}
    for one in held:
        rows.setdefault(one.local, []).append(one)
    ended = [item for item in items if item.kind in ENDING]
    ends = {item.national: item.last_day for item in ended}
    pending = []
    done_ms = opened_ms
    for item in ended:
        mine = rows.get(item.local, [])
        if any(_dead(one, ends, last_day_of, today) for one in mine):
            pending.append(item)
        done_ms = max(done_ms, *(one.since_ms for one in mine), done_ms)
    mapped = "" if pending else day_of(done_ms / 1000)
    finished = max(fetched, mapped) if fetched and mapped else today
    return Standing(
        institution=items[0].institution,
        ended=len(ended),
        changed=sum(item.kind == "changed" for item in items),
        pending=tuple(pending),
        fetched=fetched,
        mapped=mapped,
        late=finished > due,
    )


def _dead(row: Held, ends: Mapping[str, str], last_day_of: Callable[[str], str], today: str) -> bool:
    """Say whether a row still points at an ended code: it outlives the code, and its life is not over."""
    last = row.until or LATEST
    if not row.national or last < today:
        return False
    if row.national in ends:
        return last > ends[row.national]
    return last_day_of(row.national) < today
