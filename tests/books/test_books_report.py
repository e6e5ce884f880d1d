"""`liangding books report` as people run it: pages, workbook and object tell the same; hostile texts stay texts."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from desk import BACK, DAY, HOSPITAL, Cells, refunded, settled
from python_calamine import CalamineWorkbook
from report_desk import DIFF, NOW_S, OTHER, Page, ReportDesk

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import Accept, Accepted, Advance, Entry

HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture
def desk(tmp_path: Path) -> ReportDesk:
    return ReportDesk(tmp_path)


def ledgers() -> dict[str, list[Cells]]:
    """Thirty settlements of two institutions, ten of them remote, and one fault of every kind of party."""
    base = [
        settled(
            f"{n:02}", clr_pay_loc="3" if n % 3 == 0 else "2", psn_no=f"51000019800101{n:04}",
            fixmedins_code=OTHER if n % 5 == 0 else HOSPITAL,
        )
        for n in range(1, 31)
    ]  # fmt: skip
    inst, gw, agy = ([dict(row) for row in base] for _ in range(3))
    prov = [{**row, "prov_sn": f"Q{row['setl_id']}"} for row in base if row["clr_pay_loc"] == "3"]
    ins = [dict(row) for row in prov]
    inst[0]["medfee_sumamt"] = "100.01"
    gw[1]["status"] = "IN_DOUBT"
    agy[3]["fund_pay_sumamt"] = "61.00"
    del inst[9]
    del prov[2]
    ins[3]["medfee_sumamt"] = "99.00"
    for rows in (inst, gw, agy):
        rows += [settled("40"), refunded("40")]
    return {"INST": inst, "GW": gw, "AGY": agy, "PROV": prov, "INS": ins}


def shown(desk: ReportDesk, name: str = "report.html") -> Page:
    return Page((desk.out / name).read_text("utf-8"))


def sheet(desk: ReportDesk, name: str, path: Path | None = None) -> list[list[Any]]:
    """Rows of a sheet below its title, the head first."""
    book = CalamineWorkbook.from_path(str(path or desk.out / "report.xlsx"))
    return book.get_sheet_by_name(name).to_python(skip_empty_area=False)[1:]


def fen(value: object) -> int:
    """Fen of a cell, of a page's text or of a workbook's number."""
    return round(float(str(value).replace(",", "")) * 100)


def test_tables_page_workbook_and_object_tell_the_same_numbers(desk: ReportDesk) -> None:
    desk.day(ledgers())
    plain = desk.plain("--out", str(desk.out))
    states = dict(desk.base.execute("SELECT leg, count(*) FROM diff GROUP BY leg"))
    head, *rows = sheet(desk, "总览")
    table = next(table for table in shown(desk).tables if table[0][:2] == ["账段", "状态"])
    for number, (leg, told) in enumerate(plain["legs"].items()):
        counts = [told["counts"][name] for name in told["counts"]]
        assert sum(one["count"] for one in counts) == states[leg]
        assert rows[number][2:4] == [told["agreed"]["count"], told["agreed"]["fen"] / 100]
        assert rows[number][4:] == [value for one in counts for value in (one["count"], one["fen"] / 100)]
        page = table[1 + number]
        assert [int(page[2]), fen(page[3])] == list(told["agreed"].values())
        assert [(int(cell.split()[0]), fen(cell.split()[1])) for cell in page[4:-1]] == [
            (one["count"], one["fen"]) for one in counts
        ]
        assert int(page[-1]) == states[leg]
    assert head[:4] == ["账段", "状态", "一致（笔）", "一致金额"]
    assert rows[3][0] == "合计" and sum(rows[3][4::2]) == plain["lines"] == sum(states.values())
    # What the run itself summed up is what the parties' boxes say.
    for party in plain["parties"]:
        assert party["sums_fen"]["medfee_sumamt"] == {
            "INST": 290_001, "GW": 300_000, "AGY": 300_000, "PROV": 90_000, "INS": 99_900,
        }[party["name"]]  # fmt: skip
    assert len(sheet(desk, "差异")) - 1 == plain["lines"]


def test_legs_agree_on_what_is_left_beside_the_open_ones(desk: ReportDesk) -> None:
    desk.day(ledgers())
    plain = desk.plain()
    told = {leg: (one["state"], one["agreed"]["count"], one["agreed"]["fen"]) for leg, one in plain["legs"].items()}
    # Of 31 keys S01, S02, S04, S10 are open on L1, and S40 comes to nothing. S09 and S12 are open on L2 and L4.
    assert told == {"L1": ("open", 27, 260_000), "L2": ("open", 9, 90_000), "L4": ("open", 8, 80_000)}
    assert plain["keys"] == 31 and plain["verdict"] == "账不平"
    codes = {one["code"]: one["ledgers"] for one in plain["institutions"]}
    assert codes[OTHER]["INST"] == {"rows": 5, "medfee_fen": 50_000, "fund_fen": 30_000}
    assert sum(one["GW"]["medfee_fen"] for one in codes.values()) == 300_000


def test_a_row_that_stands_twice_counts_once(desk: ReportDesk) -> None:
    rows = [settled(1), settled(2), settled(2)]
    desk.day({"INST": rows[:2], "GW": rows[:2], "AGY": rows})
    plain = desk.plain(code=0)
    assert plain["legs"]["L1"]["agreed"] == {"count": 2, "fen": 20_000}
    assert plain["verdict"] == "账平" and plain["totals"]["trace"]["count"] == 1


def test_one_institutions_page_has_its_own_numbers_only(desk: ReportDesk) -> None:
    desk.day(ledgers())
    plain = desk.plain("--scope", OTHER, "--out", str(desk.out))
    assert [leg["state"] for leg in plain["legs"].values()] == ["open", "off", "off"]
    assert plain["legs"]["L1"]["agreed"] == {"count": 5, "fen": 50_000} and plain["keys"] == 6
    assert [(one["name"], one["rows"]) for one in plain["parties"]][:3] == [("INST", 5), ("GW", 6), ("AGY", 6)]
    page = shown(desk)
    assert HOSPITAL not in page.text and "示例大药房" in page.text


def test_each_open_difference_leads_to_what_every_ledger_says(desk: ReportDesk) -> None:
    desk.day(ledgers())
    desk.run("--date", DAY, "--out", str(desk.out))
    links = [attrs["href"] for tag, attrs in shown(desk).tags if tag == "a"]
    pages = sorted(path.name for path in (desk.out / "settlements").iterdir())
    assert sorted(Path(str(link)).name for link in links) == pages and len(pages) == 7
    wrong = shown(desk, f"settlements/{desk.diff('S01')}.html")
    table = wrong.tables[0]
    assert table[0][1:] == ["医药机构 INST", "网关 GW", "就医地经办 AGY"]
    assert ["医疗费总额", "100.01 ◀", "100.00", "100.00"] in table
    assert ["人员编号（后4位）", "…0001", "…0001", "…0001"] in table
    lacking = shown(desk, f"settlements/{desk.diff('S10')}.html").tables[0]
    assert ["结算ID", "没有 记录", "S10", "S10"] in lacking
    assert "51000019800101" not in "".join((desk.out / "settlements" / name).read_text("utf-8") for name in pages)


def test_what_is_open_no_more_loses_its_page(desk: ReportDesk) -> None:
    desk.day(ledgers())
    desk.run("--date", DAY, "--out", str(desk.out))
    page = desk.out / "settlements" / f"{desk.diff('S01')}.html"
    assert page.exists()
    desk.put("S01", "RESOLVED")
    plain = desk.plain("--out", str(desk.out))
    assert not page.exists() and plain["totals"]["closed"] == {"count": 1, "fen": 1, "without_amount": 0}


def test_one_file_holds_the_evidence_below_the_page(desk: ReportDesk) -> None:
    desk.day(ledgers())
    out = desk.folder / "day.html"
    assert desk.run("--date", DAY, "--out", str(out)).exit_code == 3
    page = Page(out.read_text("utf-8"))
    ids = {str(attrs["id"]) for _, attrs in page.tags if "id" in attrs}
    targets = {str(attrs["href"])[1:] for tag, attrs in page.tags if tag == "a"}
    assert f"e-{desk.diff('S01')}" in targets and targets <= ids
    alone = desk.folder / "day.xlsx"
    desk.run("--date", DAY, "--out", str(alone))
    assert sheet(desk, "总览", alone)[0][0] == "账段"
    assert sorted(path.name for path in desk.folder.iterdir() if path.name.startswith("day")) == [
        "day.html", "day.xlsx",
    ]  # fmt: skip


def test_actions_decisions_and_approvals_are_told_with_times_and_people(desk: ReportDesk) -> None:
    desk.day(ledgers())
    desk.act("S09", "FEEDBACK", "PROV", "DONE", "FB-1", leg="L2")
    desk.case("S10", "PROPOSED", decision="BOOK", reason="应答已送达", maker="wang", approval=7)
    plain = desk.plain("--out", str(desk.out))
    assert plain["actions"] == [{"kind": "FEEDBACK", "party": "PROV", "state": "DONE", "count": 1}]
    assert plain["cases"] == [{"mode": "TWO", "state": "PROPOSED", "count": 1}]
    who = {(one["leg"], one["class"]): one["who"] for one in plain["groups"]}
    assert who["L2", "L2-PROV-MISSING"] == "PROV" and who["L1", "L1-INST-MISSING"] == "CHECKER"
    case = shown(desk, f"settlements/{desk.diff('S10')}.html").text
    assert "wang提出处理：补记；理由：应答已送达" in case and "复核单第7号" in case and "2026-03-16 08:00:00" in case
    sent = shown(desk, f"settlements/{desk.diff('S09', 'L2')}.html").text
    assert "第1次反馈，发往省平台：已办，有回执，回执：FB-1" in sent
    assert sheet(desk, "动作")[1][:5] == ["反馈", 1, "省平台", "已办，有回执", "FB-1"]
    assert sheet(desk, "案例")[1][1:7] == ["两人复核", "已提出，待复核", "补记", "应答已送达", "wang", 7]


def test_the_journals_story_is_told_where_there_is_a_journal(desk: ReportDesk) -> None:
    desk.day(ledgers())
    vault = Vault(bytes(range(32)), "aes-256-gcm", lambda size: bytes(size))
    store = SqliteJournal.open(
        desk.folder / "data" / "journal.sqlite", vault, list(schemas.read("migrations/journal", ".sql"))
    )
    entry = Entry(
        id=1, fixmedins_code=HOSPITAL, msgid="M01", infno="2207", klass="M", link="national", state="SENT",
        digest=b"d" * 32, created_ms=int(NOW_S * 1000), lane="p|1", medfee_fen=10_000,
    )  # fmt: skip
    assert store.commit([Accept(entry=entry)]) == [Accepted()]
    done = Advance(
        entry=entry, was="SENT", to="ACKED", at_ms=int(NOW_S * 1000), reason="answered", setl_id="S01", delivered=True,
        settled="{}", answer=b"{}",
    )  # fmt: skip
    assert store.commit([done]) == [True]
    store.close()
    desk.run("--date", DAY, "--out", str(desk.out))
    assert "平台办理成功，成功答复已交给机构。" in shown(desk, f"settlements/{desk.diff('S01')}.html").text
    assert "网关日志" not in shown(desk, f"settlements/{desk.diff('S04')}.html").text


def test_hostile_texts_stay_texts(desk: ReportDesk) -> None:
    rows = ledgers()
    for name in ("INST", "GW", "AGY"):
        rows[name].append(settled(99, setl_id="=cmd|' /C calc'!A0", msgid=HOSTILE, mdtrt_id=HOSTILE))
    rows["INST"][-1]["medfee_sumamt"] = "1.00"
    desk.day(rows)
    desk.act("=cmd|' /C calc'!A0", "FEEDBACK", "INST", "DONE", f"=1+1{HOSTILE}")
    desk.case("=cmd|' /C calc'!A0", "PROPOSED", reason=HOSTILE, maker="@SUM(1)")
    desk.base.execute("UPDATE recon_day SET state = ?", (HOSTILE,))
    desk.base.execute("UPDATE diff SET note = ?", (HOSTILE,))
    desk.base.commit()
    desk.run("--date", DAY, "--out", str(desk.out))
    desk.run("--date", DAY, "--out", str(desk.out / "one.html"))
    for path in desk.out.rglob("*.html"):
        page = Page(path.read_text("utf-8"))
        assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object"}, path
        policy = [attrs.get("content") for tag, attrs in page.tags if "http-equiv" in attrs]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
        assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
        assert all(str(attrs["href"]).startswith(("#", "settlements/", "../report.html#"))
                   for _, attrs in page.tags if "href" in attrs)  # fmt: skip
    assert HOSTILE in shown(desk).text
    lines = [row for row in sheet(desk, "差异") if "cmd" in str(row[1])]
    assert [row[1] for row in lines] == ["'=cmd|' /C calc'!A0"]
    assert sheet(desk, "案例")[1][4:6] == [HOSTILE, "'@SUM(1)"]
    assert sheet(desk, "动作")[1][4] == f"'=1+1{HOSTILE}"


def test_a_quiet_day_agrees_and_says_so(desk: ReportDesk) -> None:
    desk.day({"INST": [settled(1)], "GW": [settled(1)], "AGY": [settled(1)]})
    plain = desk.plain("--out", str(desk.out), code=0)
    assert plain["agreed"] and plain["groups"] == [] and plain["lines"] == 0
    assert "没有待办。" in shown(desk).text


def test_an_empty_day_is_a_day_of_zero(desk: ReportDesk) -> None:
    desk.day({"INST": [], "GW": [], "AGY": []})
    plain = desk.plain("--out", str(desk.out), code=0)
    assert plain["keys"] == 0 and plain["legs"]["L1"]["agreed"] == {"count": 0, "fen": 0}


def test_an_incomplete_ledger_is_shown_and_what_hangs_on_it_is_withheld(desk: ReportDesk) -> None:
    desk.day({"INST": [], "GW": [settled(1)], "AGY": [settled(1)]}, incomplete=["INST"])
    plain = desk.plain("--out", str(desk.out))
    assert plain["totals"]["withheld"]["count"] == 1 and plain["parties"][0]["state"] == "incomplete"
    assert [one["who"] for one in plain["groups"]] == ["FILES"]
    svg = [attrs for tag, attrs in shown(desk).tags if tag == "svg"]
    assert "医药机构账目不完整" in str(svg[0]["aria-label"])


def test_ten_thousand_differences_make_a_small_page_and_a_full_workbook(desk: ReportDesk) -> None:
    desk.day({"INST": [], "GW": [settled(1)], "AGY": [settled(1)]})
    columns = DIFF.replace("diff_id, ", "").replace("setl_id, ", "")
    desk.base.execute(
        f"INSERT INTO diff (diff_id, setl_id, {columns}) WITH RECURSIVE n (i) AS"
        " (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        f" SELECT printf('d%d', i), printf('S%d', i), {columns} FROM n, diff"
    )
    desk.base.commit()
    plain = desk.plain("--out", str(desk.out))
    assert plain["totals"]["open"] == {"count": 10_000, "fen": 100_000_000, "without_amount": 0}
    assert (desk.out / "report.html").stat().st_size < 5_000_000
    assert "另有9,800条未列出" in shown(desk).text
    assert len(sheet(desk, "差异")) == 10_001
    assert len(list((desk.out / "settlements").iterdir())) == 200
    one = desk.folder / "one.html"
    desk.run("--date", DAY, "--out", str(one))
    assert one.stat().st_size < 5_000_000


def test_without_its_files_a_day_is_told_from_the_tables(desk: ReportDesk) -> None:
    desk.day(ledgers())
    for path in (desk.folder / "data" / "books" / DAY).iterdir():
        path.unlink()
    plain = desk.plain("--out", str(desk.out))
    assert plain["evidence"] is False and plain["legs"]["L1"]["agreed"] is None
    assert plain["legs"]["L1"]["counts"]["open"]["count"] == 3
    page = shown(desk, f"settlements/{desk.diff('S01')}.html")
    assert "账目文件无法读取" in page.text and "账目文件无法读取" in shown(desk).text


def test_the_insured_role_has_its_own_day(desk: ReportDesk) -> None:
    desk.day({"PROV": [settled(1, clr_pay_loc="4")], "INS": []}, role="insured")
    plain = desk.plain()
    assert plain["role"] == "insured" and [leg["state"] for leg in plain["legs"].values()] == [
        "off", "off", "off", "open",
    ]  # fmt: skip
    assert desk.run("--date", DAY, "--role", "care").exit_code == 1


def insured() -> dict[str, list[Cells]]:
    """Six of our people treated elsewhere, one of them taken back; leg L3 has one of every sort wrong, L4 one."""
    care = [settled(n, clr_pay_loc="4", prov_sn=f"Q{n}") for n in range(1, 7)]
    care.append(refunded(6, clr_pay_loc="4", prov_sn="Q6R"))
    prov, ins = ([dict(row) for row in care] for _ in range(2))
    del care[0]  # the province has it, the care agency does not
    care[0]["medfee_sumamt"] = "100.03"  # S2
    care[1]["status"] = "REVERSED"  # S3
    care.append(dict(care[2]))  # S4 stands there twice, alike: counted once
    ins[4]["fund_pay_sumamt"] = "61.00"  # S5, of leg L4 alone
    return {"AGY": care, "PROV": prov, "INS": ins}


def test_what_the_province_reports_of_the_care_agency_is_drawn_beside_it(desk: ReportDesk) -> None:
    """Leg L3 in the insured role: alike S4, S5 and S6 with its refund; S1, S2 and S3 are not."""
    desk.day(insured(), role="insured")
    plain = desk.plain("--out", str(desk.out))
    assert {name: leg["state"] for name, leg in plain["legs"].items()} == {
        "L1": "off", "L2": "off", "L3": "open", "L4": "open",
    }  # fmt: skip
    third = plain["legs"]["L3"]
    assert (third["agreed"], third["apart"]) == ({"count": 4, "fen": 20_000}, {"count": 3, "fen": 10_003})
    assert plain["totals"]["open"]["count"] == plain["legs"]["L4"]["counts"]["open"]["count"] == 1
    page = shown(desk)
    drawn = [text for text in ("L3 未平", "一致4笔", "200.00元", "不同3笔 100.03元", "L4 未平") if text in page.text]
    assert len(drawn) == 5, page.text
    assert "L2 未核对" not in page.text
    [aside] = [row for table in page.tables for row in table if row and row[0] == "两份账不同的"]
    assert aside[2:4] == ["3", "100.03"]
    [line] = [row for row in sheet(desk, "总览") if row[0] == "L3 两份账不同的"]
    assert (line[2], fen(line[3])) == (3, 10_003)


def test_half_a_statement_says_nothing_about_leg_l3(desk: ReportDesk) -> None:
    desk.day(insured(), role="insured", incomplete=["AGY"])
    third = desk.plain("--out", str(desk.out))["legs"]["L3"]
    assert (third["state"], third["agreed"], "apart" in third) == ("off", None, False)
    assert "L3 未核对" in shown(desk).text


def test_a_frozen_day_shows_its_seal_and_consents(desk: ReportDesk) -> None:
    desk.day({"INST": [settled(1)], "GW": [settled(1)], "AGY": [settled(1)]})
    frozen(desk.base, HOSPITAL)
    plain = desk.plain("--out", str(desk.out), code=0)
    assert plain["freezes"] == [{"id": 1, "scope": HOSPITAL, "freeze_sm3": "ab" * 32}]
    text = shown(desk).text
    assert "ab" * 32 in text and "zhao" in text and "hospital-user" in text


def frozen(base: sqlite3.Connection, scope: str, day: str = DAY) -> None:
    """One freeze with the institution's consent; its tables are made where the migrations do not have them."""
    base.executescript("""
        CREATE TABLE IF NOT EXISTS freeze (id INTEGER PRIMARY KEY, role, scope, biz_date, prev_sm3, header, rows, fees,
            freeze_sm3, key_id, signature, maker, checker, approval, reopens, at_ms);
        CREATE TABLE IF NOT EXISTS freeze_consent (freeze, party, kind, who, proof, at_ms);
        CREATE TABLE IF NOT EXISTS freeze_reopening (freeze, reason, maker, checker, approval, at_ms);
    """)
    at = int(NOW_S * 1000)
    base.execute(
        "INSERT INTO freeze VALUES (NULL, 'care', ?, ?, '', '{}', 3, 1, ?, 'k', 'sig', 'zhao', 'qian', 3, 0, ?)",
        (scope, day, "ab" * 32, at),
    )
    base.execute(
        "INSERT INTO freeze_consent VALUES (last_insert_rowid(), 'INST', 'operator', 'hospital-user', 'p', ?)", (at,)
    )
    base.commit()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--date", "2026-02-30"], 2),
        ([], 2),
        (["--date", DAY, "--out", "/nowhere/at/all.html"], 2),
        (["--date", DAY], 1),
        (["--date", DAY, "--scope", "H0"], 1),
    ],
)
def test_wrong_words_and_unknown_days_are_refused(desk: ReportDesk, words: list[str], code: int) -> None:
    result = desk.run(*words)
    assert result.exit_code == code and result.stderr and not result.stdout


def test_no_store_and_a_damaged_store_are_told(desk: ReportDesk) -> None:
    desk.base.close()
    path = desk.folder / "data" / "journal-books.sqlite"
    path.write_bytes(b"no database at all" * 100)
    result = desk.run("--date", DAY)
    assert result.exit_code == 1 and "对账库打不开" in result.stderr
    path.unlink()
    result = desk.run("--date", DAY)
    assert result.exit_code == 1 and "对账记录" in result.stderr and not path.exists()


def test_refunds_are_compared_with_refunds(desk: ReportDesk) -> None:
    rows = [settled(1), refunded(1)]
    wrong = [settled(1), refunded(1, **{**BACK, "fund_pay_sumamt": "-59.00"})]
    desk.day({"INST": rows, "GW": rows, "AGY": wrong})
    desk.run("--date", DAY, "--out", str(desk.out))
    table = shown(desk, f"settlements/{desk.diff('S1')}.html").tables[0]
    fund = next(row for row in table if row[0] == "基金支付总额")
    assert [cell for cell in fund if "◀" in cell] == ["-59.00 ◀"]
