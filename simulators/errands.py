"""What an institution does beside patients: look-ups, catalogue downloads, its own lists, files, the evening."""

import base64
from collections.abc import Generator
from decimal import Decimal

from simulators import archives, tables
from simulators.booking import Booked
from simulators.his import FILE_DOWN_PATH, FILE_UP_PATH, Answer, GaveUp, Institution, Script, Step
from simulators.ledger import Refusal
from simulators.money import yuan
from simulators.people import AREA, Person
from simulators.wording import Json, write

_FOR_EVER = "2099-12-31"
_LIST_TYPE = {"drug": "101", "service_item": "201", "consumable": "301"}


def look_up(home: Institution, who: Person) -> Script:
    """1101, 2001, 5206, 5301, 5201 of one person, and a dictionary."""
    psn_no, insured = yield from home.identify(who)
    insuplc = insured["insuplc_admdvs"]
    question = {
        "psn_no": psn_no,
        "insutype": insured["insutype"],
        "fixmedins_code": home.code,
        "med_type": "11",
        "begntime": home.now(),
    }
    yield from home.ask("2001", {"data": question}, insuplc)
    yield from home.ask("5206", {"data": {"psn_no": psn_no, "cum_ym": ""}}, insuplc)
    yield from home.ask("5301", {"data": {"psn_no": psn_no}}, insuplc)
    today = home.now()[:10]
    period = {"psn_no": psn_no, "begntime": f"{today} 00:00:00", "endtime": f"{today} 23:59:59", "med_type": "11"}
    yield from home.ask("5201", {"data": period}, insuplc)
    values = {"type": "insutype", "parent_value": "insutype", "admdvs": AREA, "date": today, "Vali_Flag": "1"}
    yield from home.ask("1901", {"data": values})


def fetch_catalogue(home: Institution, infno: str) -> Script:
    """A 13xx download: the file's number, then the file by 9102. Raises GaveUp when the file is not as promised."""
    found = yield from home.ask(infno, {"data": {"ver": "v0000"}})
    promised = found.output
    content = yield from _download(home, promised["file_qury_no"], promised["filename"], "plc")
    try:
        rows = archives.unzipped(content).count("\n")
    except Refusal as cause:  # the file came, but not whole
        raise GaveUp(f"{infno} {cause}") from cause
    if rows != int(promised["data_cnt"]):
        raise GaveUp(f"{infno} 文件{rows}行，应为{promised['data_cnt']}行")


def _download(home: Institution, number: str, filename: str, owner: str) -> Generator[Step, Answer | None, bytes]:
    body = {"fsDownloadIn": {"file_qury_no": number, "filename": filename, "fixmedins_code": owner}}
    found = yield from home.send(FILE_DOWN_PATH, write(home.envelope("9102", body)))
    if found.status != 200 or found.envelope is not None:
        raise GaveUp(f"9102 {found.text}")
    return found.body


def report_items(home: Institution, how_many: int) -> Script:
    """3301: the institution's own list against the catalogue, some entries of each kind."""
    rows = [
        {
            "fixmedins_hilist_id": entry.local_code,
            "fixmedins_hilist_name": entry.name,
            "list_type": _LIST_TYPE[system],
            "med_list_codg": "",
            "begndate": "2024-01-01",
            "enddate": _FOR_EVER,
        }
        for system in _LIST_TYPE
        for entry in tables.matched(system)[:how_many]
    ]
    yield from home.ask("3301", {"data": rows})


def evening(home: Institution) -> Script:
    """3201 for every group of the day; what does not agree goes into 9101, 3202 and 9102."""
    groups = sorted({(row.insutype, row.clr_type, row.clr_optins) for row in home.ledger if row.insutype})
    for insutype, clr_type, optins in groups:
        rows = [row for row in _of_group(home, clr_type, optins) if row.insutype == insutype]
        facts = _statement(home, clr_type, optins, rows_sum(rows), rows)
        found = yield from home.ask("3201", {"data": facts | {"insutype": insutype}})
        if found.output["stmtinfo"]["stmt_rslt"] != "0":
            differences = yield from _details(home, clr_type, optins)
            raise GaveUp(f"3201 {found.output['stmtinfo'].get('stmt_rslt_dscr')}，明细{len(differences)}行不符")


def _of_group(home: Institution, clr_type: str, optins: str) -> list[Booked]:
    return [row for row in home.ledger if (row.clr_type, row.clr_optins) == (clr_type, optins)]


def rows_sum(rows: list[Booked]) -> Json:
    """Sums in yuan, net of refunds."""
    names = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay")
    return {name: yuan(sum(row.amounts[name] for row in rows)) for name in names}


def _statement(home: Institution, clr_type: str, optins: str, sums: Json, rows: list[Booked]) -> Json:
    """Of the days on which the rows were settled: a day's work may end after midnight."""
    return {
        "clr_type": clr_type,
        "setl_optins": optins,
        "stmt_begndate": min(row.setl_time for row in rows)[:10],
        "stmt_enddate": max(row.setl_time for row in rows)[:10],
        "medfee_sumamt": sums["medfee_sumamt"],
        "fund_pay_sumamt": sums["fund_pay_sumamt"],
        "acct_pay": sums["acct_pay"],
        "fixmedins_setl_cnt": Decimal(len(rows)),
        "refd_setl_flag": "0",
        "fixmedins_refd_setl_flag": "0",
    }


def _details(home: Institution, clr_type: str, optins: str) -> Generator[Step, Answer | None, list[list[str]]]:
    """9101, 3202, 9102: the rows the platform sees differently (reconciliation.md §3.2)."""
    rows = sorted(_of_group(home, clr_type, optins), key=lambda row: row.setl_id)
    names = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
    text = archives.tab_rows(
        [row.setl_id, row.mdtrt_id, row.psn_no, *(str(yuan(row.amounts[name])) for name in names),
         "1" if row.refund_of else "0"]
        for row in rows
    )  # fmt: skip
    stem = f"dz_{home.code}_{home.now()[:10].replace('-', '')}_{optins}_{clr_type}_1"
    number = yield from upload(home, f"{stem}.zip", archives.zipped(f"{stem}.txt", text))
    sums = rows_sum(rows)
    facts = _statement(home, clr_type, optins, sums, rows) | {
        "file_qury_no": number,
        "cash_payamt": sums["psn_cash_pay"],
    }
    del facts["acct_pay"]
    found = yield from home.ask("3202", {"data": facts})
    named = found.output["fileinfo"]
    content = yield from _download(home, named["file_qury_no"], named["filename"], home.code)
    return [line.split("\t") for line in archives.unzipped(content).splitlines()]


def upload(home: Institution, filename: str, content: bytes) -> Generator[Step, Answer | None, str]:
    """9101; gives file_qury_no."""
    facts = {"in": base64.b64encode(content).decode(), "filename": filename, "fixmedins_code": home.code}
    found = yield from home.ask("9101", {"fsUploadIn": facts}, path=FILE_UP_PATH)
    return str(found.output["file_qury_no"])


def send_file(home: Institution) -> Script:
    """9101 of a small file, and 9102 to see that it came through unchanged."""
    content = archives.zipped("note.txt", f"{home.code}\t{home.now()}\n")
    number = yield from upload(home, "note.zip", content)
    if (yield from _download(home, number, "note.zip", home.code)) != content:
        raise GaveUp("9102 文件内容与上传不符")
