"""Region profiles: each builds, each difference it names is one, and some facts stand as their source has them."""

import copy
import tomllib
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

import schemas
from gateway.core.catalogue import CatalogueError, Field, Files, Node, Region, RegionSpec, decode_files
from gateway.core.regions import build_region
from gateway.core.tables import OrderTable

Raw = dict[str, Any]
Place = tuple[str | int, ...]

RAW: dict[str, Raw] = {(raw := tomllib.loads(text.decode()))["id"]: raw for _, text in schemas.read("regions", ".toml")}
FILES = decode_files(
    schemas.read("transactions", ".json"),
    schemas.read("dictionaries", ".json"),
    schemas.read("regions", ".toml"),
    schemas.read("code_systems", ".json"),
    (schemas.ROOT / "envelope.json").read_bytes(),
)
ALL = sorted(RAW)
EXTENDING = [name for name in ALL if "extends" in RAW[name]]
PROVINCES = ["chongqing", "foshan", "guangzhou", "hunan", "inner_mongolia", "jiangsu", "jilin", "shenzhen"]
LIST_OF_2021 = {"chongqing", "foshan", "guangzhou", "inner_mongolia", "national_2021"}
# Who a file is and why it says what it says: no differences by themselves.
NOT_COMPARED = {"id", "name_zh", "extends", "provenance", "reason"}


@pytest.fixture(scope="module")
def regions() -> dict[str, Region]:
    return {name: build_region(FILES, name) for name in ALL}


def node(region: Region, infno: str, name: str) -> Node | None:
    return next((node for node in region.transactions[infno].nodes if node.name == name), None)


def field(region: Region, infno: str, name: str, of: str) -> Field | None:
    found = node(region, infno, of)
    assert found is not None, f"{region.id}: {infno} has no node {of}"
    return found.field(name)


def required(region: Region, infno: str, name: str, of: str) -> bool:
    found = field(region, infno, name, of)
    assert found is not None, f"{region.id}: {infno}.{of} has no {name}"
    return found.required


# --- every difference is one -----------------------------------------------------------------------


def differences(raw: Raw) -> Iterator[Place]:
    """Yield the place of every single statement of a region file."""
    for key, value in raw.items():
        if key in NOT_COMPARED:
            continue
        if key in ("answers", "statement"):  # replaced as a whole, so it differs as a whole
            yield (key,)
        elif isinstance(value, list):
            yield from ((key, index) for index in range(len(value)))
        else:
            yield from _leaves(value, (key,))


def _leaves(value: object, place: Place) -> Iterator[Place]:
    if not isinstance(value, dict):
        yield place
        return
    for key, inner in value.items():
        if key == "type" and place[-2:-1] == ("fields",) and len(place) > 2:
            continue  # says what an added field is; a text unless stated, and stated all the same
        if key not in NOT_COMPARED:
            yield from _leaves(inner, (*place, key))


def without(raw: Raw, place: Place) -> Raw:
    """Return a copy of a region file that lacks what stands at place."""
    found: Any = copy.deepcopy(raw)
    here = found
    for key in place[:-1]:
        here = here[key]
    del here[place[-1]]
    return dict(found)


def narrowed(raw: Raw, infno: str) -> Raw:
    """Return a copy that speaks of one transaction only, so that building it is quick."""
    some = {key: value for key, value in raw.items() if key not in ("transactions", "extensions")}
    some["transactions"] = {k: v for k, v in raw.get("transactions", {}).items() if k == infno}
    some["extensions"] = [x for x in raw.get("extensions", []) if x == infno]
    return some


def outcome(raws: dict[str, Raw], region: str, infno: str = "") -> Region:
    """Build a region from raw files; only one transaction of it if infno is given."""
    transactions = dict(FILES.transactions)
    if infno:
        raws = {name: narrowed(raw, infno) for name, raw in raws.items()}
        here = transactions[infno]
        transactions = {infno: here} | ({here.shape_of: transactions[here.shape_of]} if here.shape_of else {})
    specs = {name: msgspec.convert(raw, RegionSpec) for name, raw in raws.items()}
    return build_region(attrs.evolve(FILES, transactions=transactions, regions=specs), region)


def idle(raws: dict[str, Raw], region: str) -> list[str]:
    """Return the places in a region file that change nothing: they say what the file extends says already."""
    raw = raws[region]
    found, full = [], {"": outcome(raws, region)}
    for place in differences(raw):
        infno = str(place[1]) if place[0] == "transactions" else ""
        if infno not in full:
            full[infno] = outcome(raws, region, infno)
        if outcome({**raws, region: without(raw, place)}, region, infno) == full[infno]:
            found.append(f"regions/{region}.toml: $.{'.'.join(map(str, place))}")
    return found


def test_the_regions_asked_for_are_there() -> None:
    assert set(PROVINCES) | {"national"} <= set(ALL)


@pytest.mark.parametrize("region", ALL)
def test_a_region_builds_and_names_no_problem(region: str) -> None:
    assert build_region(FILES, region).transactions.keys() >= {"2207", "2304", "2601", "3202", "4101"}


@pytest.mark.parametrize("region", EXTENDING)
def test_a_difference_differs_from_what_it_extends(region: str) -> None:
    assert idle(RAW, region) == []


def test_an_idle_difference_is_found_with_its_place() -> None:
    """`caty` has length 10 nationally, 7101 is no extension, plain is the national way to sign."""
    raws = copy.deepcopy(RAW)
    raws["jiangsu"]["signing"] = "plain"
    raws["jiangsu"]["extensions"] = ["7101", "3592B"]
    raws["jiangsu"]["transactions"] = {
        "2201": {"input": {"data": {"fields": {"caty": {"len": "10"}, "tel": {"zh": "电话"}}}}}
    }
    assert idle(raws, "jiangsu") == [
        "regions/jiangsu.toml: $.signing",
        "regions/jiangsu.toml: $.extensions.0",
        "regions/jiangsu.toml: $.transactions.2201.input.data.fields.caty.len",
    ]


def test_a_difference_for_something_unknown_stops_the_build() -> None:
    raws = copy.deepcopy(RAW)
    raws["jiangsu"]["transactions"] = {"2299": {}}
    with pytest.raises(CatalogueError, match=r"regions/jiangsu.toml: .*2299"):
        outcome(raws, "jiangsu")


@pytest.mark.parametrize("region", ALL)
def test_a_region_names_only_dictionaries_code_systems_and_envelope_fields_that_exist(region: str) -> None:
    spec = FILES.regions[region]
    changes = [*spec.fields.values(), *spec.envelope.values()]
    for transaction in spec.transactions.values():
        changes += [change for node in transaction.input.values() for change in node.fields.values()]
    systems = {f.code_system for t in FILES.transactions.values() for n in t.input.values() for f in n.fields}
    assert {change.dict for change in changes if change.dict} <= FILES.dictionaries.keys()
    assert {change.code_system for change in changes if change.code_system} <= systems
    assert spec.envelope.keys() <= {f.name for f in FILES.envelope}


@pytest.mark.parametrize("region", EXTENDING)
def test_a_region_says_where_each_difference_comes_from(region: str) -> None:
    spec = FILES.regions[region]
    assert spec.provenance
    for infno, transaction in spec.transactions.items():
        for name, change in transaction.input.items():
            assert change.reason or transaction.reason, f"regions/{region}.toml: $.transactions.{infno}.input.{name}"
    for name, difference in spec.fields.items():
        assert difference.reason, f"regions/{region}.toml: $.fields.{name}"


@pytest.mark.parametrize("region", ALL)
def test_an_added_field_is_optional_unless_it_replaces_one_or_its_whole_node_is_new(region: str) -> None:
    """What only one implementation sends must not refuse the others (4101 of 2021 has a field table of its own)."""
    replacements = {"ipt_otp_no", "dscg_dept_code", "clr_optins", "cash_payamt"}
    for infno, transaction in FILES.regions[region].transactions.items():
        base = FILES.transactions[infno].input
        for name, change in transaction.input.items():
            known = {f.name for f in base[name].fields} if name in base else set(change.fields)
            new = {n for n, f in change.fields.items() if n not in known and f.required}
            assert infno == "4101" or new <= replacements, f"regions/{region}.toml: {infno}.{name}"


# --- facts, with their source -----------------------------------------------------------------------


def test_infcode_is_text_in_jilin_and_foshan(regions: dict[str, Region]) -> None:
    """envelope.md §2: number in the Inner Mongolia samples, string "0" in Jilin and Foshan."""
    assert {name for name in ALL if regions[name].infcode == "text"} == {"jilin", "foshan"}


def test_inner_mongolia_has_the_longer_institution_code(regions: dict[str, Region]) -> None:
    """envelope.yaml: infno 6, fixmedins_code 30, fixmedins_name 200 in the Inner Mongolia models."""
    region = regions["inner_mongolia"]
    lengths = {f.name: f.length for f in region.envelope.fields}
    assert (lengths["infno"], lengths["fixmedins_code"], lengths["fixmedins_name"]) == (6, 30, 200)
    inner = field(region, "1201", "fixmedins_code", "medinsinfo")
    assert inner is not None and inner.length == 30  # the body must be able to name the same institution (annex X15)
    national = field(regions["national"], "1201", "fixmedins_code", "medinsinfo")
    assert national is not None and national.length == 12


def test_inner_mongolia_sends_each_transaction_to_its_own_path(regions: dict[str, Region]) -> None:
    """envelope.md §4.6, among them the spelling saveSettletmentV2."""
    region = regions["inner_mongolia"]
    assert region.path_mode == "rest"
    assert region.transactions["2207"].rest_path == "/fsi/api/outpatientSettleService/saveSettletmentV2"
    assert {name for name in ALL if regions[name].path_mode == "rest"} == {"inner_mongolia"}
    # The source gives 3302 the path of 3202, a copy error: better no path than the wrong one.
    assert region.transactions["3302"].rest_path == ""
    assert region.transactions["3202"].rest_path == "/fsi/api/ybSettlementStmtService/stmtDetail"


def test_inner_mongolia_wraps_the_list_states_in_data(regions: dict[str, Region]) -> None:
    """transactions.yaml 4102, wire_note: input.data.stastinfo (list)."""
    states = field(regions["inner_mongolia"], "4102", "stastinfo", "data")
    assert states is not None and states.child is not None
    assert states.child.repeated == "many"
    assert states.child.field("setl_id") is not None
    assert node(regions["inner_mongolia"], "4102", "stastinfo") is None


@pytest.mark.parametrize(
    ("infno", "of", "name"),
    [("2102", "druginfo", "psn_name"), ("2102", "druginfo", "certno"), ("4101", "setlinfo", "psn_no")],
)
def test_only_hunan_requires_what_only_the_hunan_text_requires(
    regions: dict[str, Region], infno: str, of: str, name: str
) -> None:
    """transactions.yaml, required_base: false; pitfalls.md 3.4; annex X17."""
    assert required(regions["hunan"], infno, name, of)
    for other in set(ALL) - {"hunan"}:
        found = field(regions[other], infno, name, of)
        assert found is None or not found.required, other


def test_guangdong_signs_with_tif_headers_and_appends_the_infno(regions: dict[str, Region]) -> None:
    """envelope.md §4.1 (base address + infno) and §2 (code, type, message, data around the envelope)."""
    national = regions["national"].answers
    for name in ("guangzhou", "foshan"):
        assert (regions[name].signing, regions[name].path_mode) == ("tif", "infno")
        assert regions[name].answers == msgspec.structs.replace(national, wrapper="data")
    assert {name for name in ALL if regions[name].signing == "tif"} == {"guangzhou", "foshan"}


def test_hunan_and_jiangsu_sign_for_csb_at_one_address(regions: dict[str, Region]) -> None:
    """envelope.md §4.2."""
    assert {name for name in ALL if regions[name].signing == "csb"} == {"hunan", "jiangsu"}
    assert {regions[name].path_mode for name in ("hunan", "jiangsu")} == {"single"}


@pytest.mark.parametrize(
    ("infno", "where"),
    [
        ("3592B", {"hunan"}),
        ("2181", {"hunan"}),
        ("4261", {"hunan"}),
        ("1162", {"inner_mongolia"}),
        ("1160", {"guangzhou"}),
        ("2260", {"guangzhou", "foshan"}),
        ("3261", {"foshan"}),
        ("13203", {"jilin"}),
    ],
)
def test_a_provincial_extension_belongs_to_its_region(regions: dict[str, Region], infno: str, where: set[str]) -> None:
    """Annex X16; the sources named in transactions.yaml."""
    assert {name for name in ALL if infno in regions[name].transactions} == where


def test_every_provincial_extension_has_a_region(regions: dict[str, Region]) -> None:
    wanted = {t.infno for t in FILES.transactions.values() if t.scope == "provincial-extension"}
    assert wanted == {infno for name in ALL for infno in FILES.regions[name].extensions}
    assert not wanted & regions["national"].transactions.keys()


def test_the_settlement_list_of_2021_carries_amounts_and_items(regions: dict[str, Region]) -> None:
    """transactions.yaml 4101 alternates (NM, CQ, FS, GZ); pitfalls.md 3.5."""
    for name in ALL:
        old = name in LIST_OF_2021
        assert (node(regions[name], "4101", "iteminfo") is not None) == old, name
        assert (node(regions[name], "4101", "bldinfo") is None) == old, name
        assert (field(regions[name], "4101", "psn_cashpay", "setlinfo") is not None) == old, name
    items = node(regions["foshan"], "4101", "iteminfo")
    assert items is not None and items.repeated == "many"
    amount = items.field("claa_sumfee")
    assert amount is not None and (amount.kind, amount.whole, amount.decimals) == ("number", 14, 2)
    assert required(regions["inner_mongolia"], "4101", "hi_paymtd", "setlinfo")
    assert not required(regions["national"], "4101", "hi_paymtd", "setlinfo")


def test_jilin_knows_its_own_visit_types(regions: dict[str, Region]) -> None:
    """dictionaries.yaml med_type__jilin: 140104 is an outpatient chronic disease there."""
    visit = field(regions["jilin"], "2207", "med_type", "data")
    assert visit is not None and "140104" in visit.known
    elsewhere = field(regions["national"], "2207", "med_type", "data")
    assert elsewhere is not None and "140104" not in elsewhere.known
    assert not visit.closed  # nothing says that others are refused (annex X31)


def test_guangdong_spells_some_required_fields_its_own_way(regions: dict[str, Region]) -> None:
    """Request classes 2401 (GZ) and 2402 (GZ, FS); transactions.yaml 3301 wire_note; reconciliation.md 3.1."""
    for name in ("guangzhou", "foshan"):
        assert required(regions[name], "2402", "dscg_dept_code", "dscginfo")
        assert field(regions[name], "2402", "dscg_dept_codg", "dscginfo") is None
        rows = node(regions[name], "3301", "catalogcompin")
        assert rows is not None and rows.required and rows.repeated == "many"
        assert node(regions[name], "3301", "data") is None
    assert required(regions["guangzhou"], "2401", "ipt_otp_no", "mdtrtinfo")
    assert required(regions["guangzhou"], "3201", "clr_optins", "data")
    assert required(regions["foshan"], "2401", "ipt_no", "mdtrtinfo")
    assert required(regions["jilin"], "2402", "dscg_dept_codg", "dscginfo")


def test_guangzhou_settles_without_the_partition_sums(regions: dict[str, Region]) -> None:
    """Request class 2207 of GZ has none of them; Foshan and the others echo them from the pre-settlement."""
    sums = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
    assert not any(required(regions["guangzhou"], "2207", name, "data") for name in sums)
    assert all(required(regions["foshan"], "2207", name, "data") for name in sums)


def test_nobody_reverses_more_by_2601_than_the_only_official_list(regions: dict[str, Region]) -> None:
    """pitfalls.md 3.1: longer lists are reported, but for no region."""
    assert {regions[name].reversible for name in ALL} == {("2102", "2207", "2304", "2401")}


def test_hunan_uploads_files_as_an_array_of_bytes(regions: dict[str, Region]) -> None:
    """reconciliation.md 3.2: `in` is a byte array written as JSON numbers."""
    assert {name for name in ALL if regions[name].file_in == "bytes"} == {"hunan"}


def test_lengths_follow_the_regions_own_models(regions: dict[str, Region]) -> None:
    """transactions.yaml len_alt; a slip of the source (an institution code of 3 characters) is not followed."""
    expected = {"inner_mongolia": 500, "chongqing": 500, "national": 255, "guangzhou": 255}
    for name, length in expected.items():
        found = field(regions[name], "1304", "cpnd_flag", "data")
        assert found is not None and found.length == length, name
    code = field(regions["chongqing"], "4401", "fixmedins_code", "icuinfo")
    assert code is not None and code.length == 12


def test_files_hold_no_second_region_of_the_same_name() -> None:
    assert isinstance(FILES, Files) and FILES.regions.keys() == RAW.keys()
    assert len({spec.name_zh for spec in FILES.regions.values()}) == len(FILES.regions)


# --- what an order's state proves -------------------------------------------------------------------------------------


def test_every_value_of_an_orders_state_that_proves_something_is_in_the_dictionary(regions: dict[str, Region]) -> None:
    states = FILES.dictionaries["ordStas"].values
    for region in regions.values():
        assert region.orders.paid and region.orders.unpaid and region.orders.refunded
        assert {*region.orders.paid, *region.orders.unpaid, *region.orders.refunded} <= states.keys()


@pytest.mark.parametrize("table", ["paid", "unpaid"])
def test_no_value_of_an_orders_state_proves_two_things(table: str) -> None:
    changed = msgspec.convert({"paid": ["4"], "unpaid": ["15"], "refunded": ["7"]}, OrderTable)
    changed = msgspec.structs.replace(changed, refunded=(*getattr(changed, table), "7"))
    files = attrs.evolve(
        FILES,
        regions={**FILES.regions, "jilin": msgspec.structs.replace(FILES.regions["jilin"], orders=changed)},
    )
    with pytest.raises(CatalogueError, match=r"regions/jilin.toml: \$.orders.refunded: “(4|15)”"):
        build_region(files, "jilin")
