"""A national record with its attributes, under our own names; and one search through a whole library.

Attributes go by the field names of the national interface and the Chinese titles of the 13xx downloads. An attribute
the library does not carry is absent, and no rule that needs it speaks.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

import attrs
import msgspec

from gateway.codes.checks.text import approval_number, device_number, name_form, names_of, registration_number
from gateway.codes.library import record_of
from gateway.core.codes import Record

# code, name, begndate, enddate, vali_flag, gray, the other columns as JSON
RawRow: TypeAlias = tuple[str, str, str, str, str, str, str]

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "alias": ("alias", "别名"),
    "spec": ("spec", "spec_mol", "药品规格", "规格型号", "规格"),
    "pack": ("pacspec", "包装规格"),
    "ratio": ("convrat", "转换比", "产品转换比"),
    "unit": ("prcunt", "计价单位名称", "计价单位"),
    "min_unit": ("min_unit", "最小制剂单位", "最小使用单位"),
    "pack_unit": ("pack_unit", "最小包装单位", "包装单位"),
    "maker": ("prodentp_name", "生产企业名称", "注册备案人名称"),
    "approval": ("aprvno", "批准文号"),
    "registration": ("reg_fil_no", "注册备案号"),
    "device": ("udi_di", "医疗器械唯一标识码"),
    "price_code": ("local_price_code",),
    "content": ("item_cont", "诊疗项目内涵"),
    "except": ("exct_cont", "诊疗除外内容"),
    "chrgitm": ("med_chrgitm_type",),
    "cover": ("chrgitm_lv",),
    "list_type": ("list_type",),
    "cap1": ("price_lv1",),
    "cap2": ("price_lv2",),
    "cap3": ("price_lv3",),
    "gender": ("gender_limit", "性别限制"),
    "age": ("age_limit", "年龄限制"),
    "limited": ("lmt_used_flag", "限制使用标志"),
    "limits": ("lmt_usescp", "限制使用范围"),
    "state": ("prac_stas", "dr_prac_stas"),
    "institution": ("fixmedins_code", "main_pracins_no", "pracins_no"),
    "several": ("mul_prac_flag",),
    "level": ("hosp_lv", "医院等级"),
    "replaced_by": ("replaced_by", "替代编码"),
}
_NAMES = (
    "generic_name", "药品通用名", "注册名称", "药品商品名", "标准名称", "单味药名称", "中药配方颗粒名称", "hi_genname",
    "mcs_name", "耗材名称", "医保通用名", "servitem_name", "医疗服务项目名称",
)  # fmt: skip
_TAIL = re.compile(r"x[0-9]{3}(?:\+.*)?$")
# How a number that names one product is read, wherever it stands.
NUMBERS: Mapping[str, Callable[[str], str]] = {
    "approval": approval_number,
    "registration": registration_number,
    "device": device_number,
}


_PLACE: Mapping[str, tuple[str, int]] = {
    title: (attribute, rank) for attribute, titles in ATTRIBUTES.items() for rank, title in enumerate(titles)
}
_DECODER = msgspec.json.Decoder(dict[str, str])


@attrs.frozen
class National:
    """One record in force. record: its name and the days it is usable; raw: its other columns as JSON, '' = not read;
    dropped: it is in force no more, since a whole release left it out.

    Attributes are read when asked for: a big mapping names hundreds of thousands of records, of most of which no rule
    asks anything.
    """

    code: str
    record: Record
    raw: str
    dropped: bool = False

    def says(self, attribute: str) -> str:
        """Return an attribute, '' when the library does not say."""
        return _read(self.raw)[0].get(attribute, "") if self.raw else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all it goes by, as it writes them."""
        own = (self.record[0],) if self.record[0] else ()
        return (*own, *_read(self.raw)[1]) if self.raw else own

    def usable(self, day: str) -> bool:
        """Say whether the code may be used on a day."""
        return self.record[1] <= day <= self.record[2]


@lru_cache(maxsize=4096)
def _read(raw: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return (attributes, further names) of a record's other columns."""
    columns = _DECODER.decode(raw)
    best: dict[str, tuple[int, str]] = {}
    for title, value in columns.items():
        if value and title in _PLACE:
            attribute, rank = _PLACE[title]
            if attribute not in best or rank < best[attribute][0]:
                best[attribute] = rank, value
    attributes = {attribute: value for attribute, (_, value) in best.items()}
    names = [columns[title] for title in _NAMES if columns.get(title)]
    return attributes, tuple(dict.fromkeys([*names, *names_of(attributes.get("alias", ""))]))


def national(row: RawRow) -> National:
    """Return a record as the rules want it."""
    code, name, begndate, enddate, vali_flag, gray, raw = row
    return National(code, record_of(name, begndate, enddate, vali_flag, gray), raw)


@attrs.frozen
class Sought:
    """What to look for in one pass: names and numbers in their compared form, codes that may have been cut short."""

    names: frozenset[str]
    numbers: frozenset[tuple[str, str]]  # (attribute, number)
    short: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.names or self.numbers or self.short)


@attrs.define
class Seen:
    """What a pass found: compared form -> records that have it, in the library's order."""

    names: dict[str, list[National]] = attrs.Factory(dict)
    numbers: dict[tuple[str, str], list[National]] = attrs.Factory(dict)
    short: dict[str, list[National]] = attrs.Factory(dict)


def search(rows: Iterable[RawRow], sought: Sought) -> Seen:
    """Look through a whole library once."""
    seen = Seen()
    if not sought:
        return seen
    for row in rows:
        one = national(row)
        for form in {name_form(name) for name in one.names} & sought.names:
            seen.names.setdefault(form, []).append(one)
        for key in _numbers(one):
            if key in sought.numbers:
                seen.numbers.setdefault(key, []).append(one)
        short = _TAIL.sub("", one.code)
        if short != one.code and short in sought.short:
            seen.short.setdefault(short, []).append(one)
    return seen


def _numbers(one: National) -> Iterator[tuple[str, str]]:
    for attribute, read in NUMBERS.items():
        if text := one.says(attribute):
            yield attribute, read(text)
