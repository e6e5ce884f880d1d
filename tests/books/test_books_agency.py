"""The agency's ledger derived from an upload and its result: every quirk of specification §3.2."""

import pytest

from adapters.files import parcel
from gateway.app.facts import read_files
from gateway.books.agency import Ours, agency_rows, counted, text_of, uploaded
from gateway.core.regions import build_region
from gateway.core.statement import read_result

GROUP, CODE, DAY = ("510800", "11"), "H51080200001", "2026-03-15"
TABLE = build_region(read_files(), "national").statement


def ours(number: str, fen: int = 10_000, refund_of: str = "") -> Ours:
    cells = {
        "fixmedins_code": CODE, "setl_id": refund_of or number, "mdtrt_id": f"V{number}", "psn_no": f"P{number}",
        "msgid": f"M{number}", "direction": "1" if refund_of else "0", "setl_time": f"{DAY} 10:00:00",
    }  # fmt: skip
    return Ours(
        own_id=number, optins=GROUP[0], clr_type=GROUP[1], insutype="310", medfee=fen, fund=fen // 2, acct=0,
        cash=fen // 2, cells=cells,
    )  # fmt: skip


def result(*rows: tuple[str, ...]) -> str:
    return "".join("\t".join(cell or "null" for cell in row) + "\n" for row in rows)


def derived(lines: list[Ours], text: str) -> dict[str, dict[str, str]]:
    found = read_result(text, TABLE.columns)
    assert found is not None
    rows = list(agency_rows(GROUP, lines, found, CODE, DAY))
    return {row["setl_id"] or row["msgid"]: row for row in rows}


def test_what_is_not_listed_stands_as_it_was_uploaded() -> None:
    rows = derived([ours("S1"), ours("S2")], "")
    assert {name: row["medfee_sumamt"] for name, row in rows.items()} == {"S1": "100.00", "S2": "100.00"}
    assert "psn_cash_pay" not in rows["S1"]  # 3202 compares three amounts only


def test_what_only_the_agency_has_comes_in_under_its_msgid() -> None:
    rows = derived([ours("S1")], result(("P9", "", "", "M9", "101", "0", "", "30.00", "20.00", "0.00")))
    assert (rows["M9"]["setl_id"], rows["M9"]["psn_no"], rows["M9"]["medfee_sumamt"]) == ("", "P9", "30.00")
    assert (rows["M9"]["clr_optins"], rows["M9"]["clr_type"], rows["M9"]["setl_time"]) == (*GROUP, DAY)


@pytest.mark.parametrize(
    "row",
    [
        ("", "", "S1", "", "102", "0", ""),  # before 2021: no amounts
        ("", "", "S1", "", "102", "0", "", "100.00", "50.00", "0.00"),
        ("P1", "V1", "S1", "M1", "2", "0", "x", "100.00", "50.00", "0", "exp"),
    ],
)
def test_a_row_of_ours_with_our_amounts_is_one_the_agency_lacks(row: tuple[str, ...]) -> None:
    assert set(derived([ours("S1"), ours("S2")], result(row))) == {"S2"}


def test_a_row_of_ours_with_other_amounts_has_theirs() -> None:
    rows = derived([ours("S1")], result(("P1", "V1", "S1", "M1", "103", "0", "", "99.99", "50.00", "0.00")))
    assert rows["S1"]["medfee_sumamt"] == "99.99"


@pytest.mark.parametrize("amounts", [("-100.00", "-50.00", "0.00"), ("", "", "")])
def test_a_refund_under_the_number_of_our_settlement_is_the_agencys_refund_of_it(amounts: tuple[str, ...]) -> None:
    """It was read as our settlement with another amount (minus 100.00), or as one the agency lacks."""
    found = read_result(result(("P1", "V1", "S1", "M7", "1", "1", "", *amounts)), TABLE.columns)
    assert found is not None
    settled, refund = agency_rows(GROUP, [ours("S1")], found, CODE, DAY)
    assert (settled["setl_id"], settled["direction"], settled["medfee_sumamt"]) == ("S1", "0", "100.00")
    assert (refund["setl_id"], refund["direction"], refund["medfee_sumamt"]) == ("S1", "1", amounts[0])


def test_a_refund_of_what_we_do_not_know_has_no_number_but_its_message() -> None:
    """The number is the refund's own: by it the refund would cancel nothing (REVERSAL_UNMATCHED)."""
    found = read_result(result(("P8", "V8", "R8", "M8", "1", "1", "", "-1.00", "0.00", "0.00")), TABLE.columns)
    assert found is not None
    _, refund = agency_rows(GROUP, [ours("S1")], found, CODE, DAY)
    assert (refund["setl_id"], refund["msgid"], refund["direction"]) == ("", "M8", "1")


@pytest.mark.parametrize("flag", ["0", "1"])
def test_our_refund_is_known_by_its_number_whatever_flag_the_agency_gives_it(flag: str) -> None:
    lines = [ours("S1"), ours("R1", -10_000, refund_of="S1")]
    found = read_result(result(("P1", "V1", "R1", "M1", "2", flag, "", "-100.00", "-50.00", "0.00")), TABLE.columns)
    assert found is not None
    assert [row["direction"] for row in agency_rows(GROUP, lines, found, CODE, DAY)] == ["0"]  # the agency lacks it


def test_a_number_we_do_not_know_is_the_agencys_own() -> None:
    rows = derived([ours("S1")], result(("P8", "V8", "S8", "M8", "3", "0", "", "1.00", "0.00", "0.00")))
    assert set(rows) == {"S1", "S8"}


@pytest.mark.parametrize(
    "text",
    [
        result(("P1", "V1", "S1", "M1", "103", "0", "", "99.99", "50.00", "0.00", "", "")),  # an extra TAB
        result(("P1", "V1", "S1", "M1", "103", "0", "", "1e3", "50.00", "0.00")),
        result(("P1", "V1", "S1", "M1", "103", "0", "", "99.999", "50.00", "0.00")),
        result(("P1", "", "", "M1", "101", "0", "", "1.00", "0.00", "0.00"), ("short",)),
    ],
)
def test_one_bad_row_and_the_whole_result_is_not_used(text: str) -> None:
    assert read_result(text, TABLE.columns) is None


def test_a_profile_may_know_other_columns() -> None:
    columns = (("psn_no", "setl_id", "msgid", "memo", "medfee_sumamt", "fund_pay_sumamt"),)
    found = read_result("P1\tS1\tM1\t备注\t5.00\t1.00\n", columns)
    assert found is not None and (found[0].medfee_fen, found[0].acct_fen) == (500, None)
    assert read_result(result(("P1", "V1", "S1", "M1", "2", "0", "")), columns) is None


def test_gb18030_is_read_and_nothing_is_replaced() -> None:
    import io
    import zipfile

    def zipped(raw: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("result.txt", raw)
        return out.getvalue()

    text = result(("P1", "V1", "S1", "M1", "3", "0", "金额不符", "99.99", "50.00", "0.00"))
    assert parcel.unpack(zipped(text.encode("gb18030"))) == text
    assert parcel.unpack(zipped(b"\xff\xff\xff\t\n")) is None


def test_the_same_ledger_gives_the_same_bytes_and_a_refund_is_two_rows() -> None:
    lines = [ours("R1", -10_000, refund_of="S1"), ours("S1"), ours("S2")]
    both = text_of(uploaded(lines, "both"))
    assert both == text_of(uploaded(lines[::-1], "both"))
    assert [line.split("\t")[0] for line in both.splitlines()] == ["R1", "S1", "S2"]
    assert both.splitlines()[0].split("\t")[3:] == ["-100.00", "-50.00", "0.00", "1"]
    assert [one.own_id for one in uploaded(lines, "exclude")] == ["S2"]


@pytest.mark.parametrize(("how", "count"), [("gross", 3), ("net", 1), ("exclude_refunded", 1)])
def test_what_a_refund_counts_is_the_profiles_word(how: str, count: int) -> None:
    lines = [ours("R1", -10_000, refund_of="S1"), ours("S1"), ours("S2")]
    sums = counted(lines, how)
    assert (sums.count, sums.medfee, sums.fund, sums.refunds) == (count, 10_000, 5_000, True)
