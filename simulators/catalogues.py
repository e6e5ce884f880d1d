"""The catalogues that are asked for by pages: 1304 ethnic drugs, 1312 insurance catalogue, 1316 what is paid as what,
1318 price limits, 1319 own-payment ratios. Each shows what changed since `updt_time`.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from simulators import national
from simulators.ledger import Books, Call
from simulators.people import AREA
from simulators.visits import Handler
from simulators.wording import Json, paged

_RATIOS: Mapping[str, Decimal] = {"1": Decimal(0), "2": Decimal("0.1"), "3": Decimal(1)}
# No table of ours has ethnic drugs: eleven that nobody makes, in the form of the code Z.
_ETHNIC = tuple(
    national.Entry(f"ZA01AAM{number:04d}010199001", f"合成民族药{number}号", f"2024-0{1 + number % 3}-01", "", "104")
    for number in range(1, 12)
)


def _asked(entry: national.Entry, facts: Json, code: str) -> bool:
    """Say whether a query means this entry. code: the field that names a code."""
    return (
        facts.get(code) in (None, "", entry.code)
        and facts.get("list_type") in (None, "", entry.list_type)
        and (not facts.get("hilist_name") or facts["hilist_name"] in entry.name)
        and entry.first_day >= str(facts["updt_time"])[:10]
    )


def _pages(
    entries: Callable[[], Iterable[national.Entry]], code: str, shown: Callable[[national.Entry], Json]
) -> Handler:
    def answer(books: Books, call: Call) -> Json:
        facts = call.body["data"]
        return paged([entry for entry in entries() if _asked(entry, facts, code)], shown, facts)

    return answer


def _items() -> Iterable[national.Entry]:
    return national.items().values()


def _kept(entry: national.Entry) -> Json:
    """What every row says of itself."""
    since = f"{entry.first_day} 00:00:00"
    return {
        "begndate": entry.first_day,
        "enddate": entry.last_day or None,
        "vali_flag": "1",
        "rid": entry.code,
        "updt_time": since,
        "crte_time": since,
    }


def _ethnic(entry: national.Entry) -> Json:
    return {
        "med_list_codg": entry.code,
        "drug_genname": entry.name,
        "drug_prodname": None,
        "ethdrug_type": "1",
        "ver": "F20260901",
        **_kept(entry),
    }


def _hilist(entry: national.Entry) -> Json:
    return {
        "hilist_code": entry.code,
        "hilist_name": entry.name,
        "insu_admdvs": AREA,
        "med_chrgitm_type": entry.fee_type,
        "chrgitm_lv": f"0{entry.level}",
        "lmt_used_flag": "0",
        "list_type": entry.list_type,
        "med_use_flag": "1",
        "matn_used_flag": "0",
        "hilist_use_type": "1",
        "lmt_cpnd_type": "1",
        **_kept(entry),
    }


def _matched(entry: national.Entry) -> Json:
    """This centre pays every national code under its own name."""
    return {
        "med_list_codg": entry.code,
        "hilist_code": entry.code,
        "list_type": entry.list_type,
        "insu_admdvs": AREA,
        "memo": None,
        **_kept(entry),
    }


def _limit(entry: national.Entry) -> Json:
    return {
        "hilist_code": entry.code,
        "hilist_lmtpric_type": "101",
        "overlmt_dspo_way": "1",
        "insu_admdvs": AREA,
        "hilist_pric_uplmt_amt": entry.price_limit,
        **_kept(entry),
    }


def _ratio(entry: national.Entry) -> Json:
    return {
        "hilist_code": entry.code,
        "selfpay_prop_psn_type": "1",
        "selfpay_prop_type": "1",
        "insu_admdvs": AREA,
        "selfpay_prop": _RATIOS[entry.level],
        **_kept(entry),
    }


HANDLERS: Mapping[str, Handler] = {
    "1304": _pages(lambda: _ETHNIC, "med_list_codg", _ethnic),
    "1312": _pages(_items, "hilist_code", _hilist),
    "1316": _pages(_items, "med_list_codg", _matched),
    "1318": _pages(lambda: (one for one in _items() if one.price_limit is not None), "hilist_code", _limit),
    "1319": _pages(_items, "hilist_code", _ratio),
}
