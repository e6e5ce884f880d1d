"""Catalogue mappings of institutions at the platform: 3301 takes rows, 3302 deletes one, 1317 shows them by pages.

The platform's own reading: an institution's own code stands for one national code at a time; an equal row sent again
changes nothing; a message with one bad row is refused whole and does not say more than the first.
"""

from collections.abc import Mapping

from simulators import stamps
from simulators.ledger import Books, Call, Refusal
from simulators.people import AREA
from simulators.visits import Handler
from simulators.wording import Json, paged

Key = tuple[str, str, str, str]


def _key(call: Call, row: Json) -> Key:
    return call.institution, row["fixmedins_hilist_id"], row["list_type"], row["med_list_codg"]


def take(books: Books, call: Call) -> Json:
    """3301: all rows or none."""
    given = call.body["data"]
    fresh: dict[Key, Json] = {}
    for row in given if isinstance(given, list) else [given]:
        if row["begndate"][:10] > row["enddate"][:10]:
            raise Refusal(f"{row['fixmedins_hilist_id']}的开始日期晚于结束日期")
        key = _key(call, row)
        other = next((old for old in (*books.mapped, *fresh) if old[:3] == key[:3] and old != key), None)
        if other is not None and other[0] == call.institution:
            raise Refusal(f"{key[1]}已与{other[3]}对照，请先撤销")
        known = books.mapped.get(key)
        if known is not None and any(known.get(name) != row.get(name) for name in ("begndate", "enddate")):
            raise Refusal(f"{key[1]}已有对照关系，请先撤销")
        fresh[key] = row if known is None else known
    for key, row in fresh.items():
        books.mapped.setdefault(key, {**row, "updated": stamps.stamp(call.now_s)})
    return {}


def delete(books: Books, call: Call) -> Json:
    """3302: one row, approved or not."""
    facts = call.body["data"]
    if facts["fixmedins_code"] != call.institution:
        raise Refusal("定点医药机构编号与报文不符")
    if books.mapped.pop(_key(call, facts), None) is None:
        raise Refusal("对照关系不存在")
    return {}


def pages(books: Books, call: Call) -> Json:
    """1317: an institution's rows changed since updt_time, by pages."""
    facts = call.body["data"]
    rows = [
        (key, row)
        for key, row in sorted(books.mapped.items())
        if key[0] == (facts.get("fixmedins_code") or call.institution)
        and facts.get("medins_list_codg") in (None, "", key[1])
        and facts.get("list_type") in (None, "", key[2])
        and facts.get("med_list_codg") in (None, "", key[3])
        and row["updated"] >= facts["updt_time"]
    ]
    return paged(rows, lambda row: _shown(*row), facts)


def _shown(key: Key, row: Json) -> Json:
    names = ("aprvno", "dosform", "exct_cont", "item_cont", "prcunt", "spec", "pacspec", "memo")
    return {
        "fixmedins_code": key[0],
        "medins_list_codg": key[1],
        "medins_list_name": row["fixmedins_hilist_name"],
        "insu_admdvs": AREA,
        "list_type": key[2],
        "med_list_codg": key[3],
        "begndate": f"{row['begndate'][:10]} 00:00:00",
        "enddate": f"{row['enddate'][:10]} 00:00:00",
        **{name: row.get(name) or "" for name in names},
        "vali_flag": "1",
        "rid": "|".join(key)[:40],
        "updt_time": row["updated"],
        "crte_time": row["updated"],
    }


HANDLERS: Mapping[str, Handler] = {"1317": pages, "3301": take, "3302": delete}
