"""A province that answers nonsense (security T3, T4, T5, T26): nothing of it is believed, and the next one is heard."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from collections.abc import Callable
from typing import Any

import pytest_twisted
from province_town import DAY, ProvinceTown
from transport_pki import Authority

from adapters.transport.tls import ServerTls, ServerTlsContext, listen_endpoint
from gateway.core.province import Reversal
from simulators.wire import PlatformFactory

ensure: Any = pytest_twisted.ensureDeferred
ROW = {
    "setl_id": "s1", "fixmedins_code": "H", "direction": "0", "setl_time": f"{DAY} 10:00:00", "medfee_sumamt": "1.00",
    "fund_pay_sumamt": "1.00", "acct_pay": "0.00",
}  # fmt: skip
TOTALS = {"medfee_sumamt": "1.00", "fund_pay_sumamt": "1.00", "acct_pay": "0.00"}


def answer(rows: Any = None, drop: tuple[str, ...] = (), **data: Any) -> str:
    """A good answer with some of its data replaced or dropped."""
    facts = {
        "statement_no": "T1", "role": "care", "date": DAY, "ledger": "PROV", "area": "510800", "complete": True,
        "rows_total": 1, "totals": TOTALS, "page_num": 1, "page_size": 1000, "rows": [ROW] if rows is None else rows,
    } | data  # fmt: skip
    for name in drop:
        del facts[name]
    return json.dumps({"request_id": "@ID@", "code": "OK", "message": "", "data": facts})


def row(**cells: Any) -> str:
    return answer([{**ROW, **cells}])


GOOD = answer()
BODIES = {
    "not JSON": "<html></html>",
    "an array": "[1]",
    "a lone value": "1",
    "deep": GOOD.replace('"T1"', "[" * 40 + "]" * 40),
    "very deep": GOOD.replace('"T1"', "[" * 100_000 + "]" * 100_000),
    "not a number": GOOD.replace('"rows_total": 1', '"rows_total": NaN'),
    "infinite": GOOD.replace('"rows_total": 1', '"rows_total": Infinity'),
    "a key twice": GOOD.replace('"code": "OK"', '"code": "NOT_READY", "code": "OK"'),
    "a key twice inside": GOOD.replace('"rows_total": 1', '"rows_total": 9, "rows_total": 1'),
    "a long number": GOOD.replace('"rows_total": 1', '"rows_total": ' + "1" * 5000),
    "a negative count": answer(rows_total=-1),
    "a count that is text": answer(rows_total="1"),
    "a count that is true": answer(rows_total=True),
    "a fraction of a row": GOOD.replace('"rows_total": 1', '"rows_total": 1.0'),
    "no totals": answer(drop=("totals",)),
    "totals without the fund": answer(totals={"medfee_sumamt": "1.00", "acct_pay": "0"}),
    "unknown totals": answer(totals={**TOTALS, "psn_name": "1.00"}),
    "another role": answer(role="insured"),
    "another date": answer(date="2026-11-20"),
    "another ledger": answer(ledger="INS"),
    "another page": answer(page_num=2),
    "not said to be complete": answer(drop=("complete",)),
    "complete as text": answer(complete="true"),
    "rows that are no array": answer(rows={"0": ROW}),
    "a row that is no object": answer(rows=[ROW, "s2"]),
    "more rows than a page": answer(rows=[{**ROW, "setl_id": f"s{number}"} for number in range(1001)], rows_total=1001),
    "too many items": answer(rows=[], more=list(range(20_001))),
    "a huge text": answer(statement_no="x" * (1 << 20 | 1)),
    "pages of no rows": answer(page_size=0),
    "pages bigger than asked for": answer(page_size=1001),
    "no number": answer(statement_no=""),
    "an exponent": row(fund_pay_sumamt="1e0"),
    "three decimals": row(fund_pay_sumamt="1.000"),
    "thousands": row(medfee_sumamt="1,000.00"),
    "an amount that is true": row(acct_pay=True),
    "an amount in a list": row(acct_pay=["1.00"]),
    "another day's row": row(setl_time="2026-11-20 10:00:00"),
    "no such time": row(setl_time=f"{DAY} 25:00:00"),
    "no such direction": row(direction="2"),
    "a gateway's status": row(status="MANUAL"),
    "a line end in a cell": row(mdtrt_id="a\nb"),
    "an escape in a cell": row(mdtrt_id="a\u001b[2J"),
    "a number for a text": row(setl_id=7),
    "a long cell": row(mdtrt_id="x" * 1001),
    "a row without a name": row(setl_id=""),
    "another's answer": GOOD.replace("@ID@", "another"),
    "no code": GOOD.replace('"code": "OK"', '"code": ""'),
    "data that are no object": json.dumps({"request_id": "@ID@", "code": "OK", "message": "", "data": []}),
    "half": GOOD[:-20],
    "a lone surrogate": GOOD.replace('"T1"', '"\\ud800"'),
}


@ensure
async def test_nonsense_is_not_believed(province_town: ProvinceTown) -> None:
    """All in one town: looking for lost failures after each would take longer than the whole."""
    town = await province_town.open(rows=2)
    believed = []
    for name, body in BODIES.items():
        town.plant("raw", op="statement", body=body, times=3)
        outcome = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
        if (outcome.kind, outcome.code, outcome.value) != ("unknown", "UNREADABLE", None):
            believed.append((name, outcome))
        assert outcome.text.isprintable() and len(outcome.text) < 300
        assert not (town.folder / "PROV").exists()
    assert believed == []
    good = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
    assert good.value is not None and good.value.rows == 2


@ensure
async def test_rows_that_are_worth_nothing_are_counted_too(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=0)
    town.plant("raw", op="statement", body=answer(rows_total=2))
    outcome = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
    assert (outcome.kind, outcome.code) == ("unknown", "TOTALS")


@ensure
async def test_the_good_answer_is_good(province_town: ProvinceTown) -> None:
    """What the nonsense above is made of, and what a party may write otherwise."""
    town = await province_town.open(rows=0)
    town.plant(
        "raw", op="statement", body=row(acct_pay=None, mdtrt_id=None, insutype='a,"b', medfee_sumamt=1.00), times=1
    )
    outcome = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
    assert outcome.value is not None and outcome.value.sums_fen == {"medfee_sumamt": 100, "fund_pay_sumamt": 100}
    assert '"a,""b"' in outcome.value.path.read_text("utf-8")


@ensure
async def test_no_status_but_200_says_anything(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    what = Reversal(party="PROV", reason="r", operator="o", prov_sn=town.book("PROV")[0].prov_sn)
    for status in (204, 302, 404, 429, 500, 503):
        body = json.dumps({"request_id": "@ID@", "code": "OK", "data": {"ack_no": "R", "result": "REVERSED"}})
        town.plant("raw", op="reversal", http_status=status, body=body, times=1)
        outcome = await town.port.reverse("k", what)
        assert outcome.kind == "unknown", status


@ensure
async def test_an_answer_without_end_is_cut(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    town.plant("raw", op="statement", body=answer(statement_no="x" * (9 << 20)), times=3)
    outcome = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
    assert (outcome.kind, outcome.code) == ("unknown", "NO_ANSWER")
    good = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "PROV")
    assert good.value is not None


LACKING: list[tuple[str, Any]] = [
    ("reversal", {"ack_no": "R1", "result": "PERHAPS"}),
    ("reversal", {"result": "REVERSED"}),
    ("clearing/status", {"found": True, "clr_appy_evt_id": "E1", "clr_stas": "10", "deductions": -1}),
    ("clearing/status", {"found": True, "clr_appy_evt_id": "", "clr_stas": "10", "deductions": 0}),
    ("clearing/status", {"found": "yes"}),
    ("clearing/deductions", {"startrow": 2, "rows_total": 0, "totals": {}, "rows": []}),
    (
        "clearing/deductions",
        {
            "startrow": 1,
            "rows_total": 1,
            "totals": {},
            "rows": [{"deduction_id": "K", "setl_id": "s", "kind": "DEDUCT", "amount": "-1.00"}],
        },
    ),
    ("clearing/detail", {"startrow": 1, "rows_total": 1, "totals": {}, "rows": [{"seqno": 1}]}),
    ("receipt", {"found": True, "operation": "reversal", "code": "OK", "data": None}),
]


@ensure
async def test_answers_that_lack_what_matters_are_doubt(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    asked: dict[str, Callable[[], Any]] = {
        "reversal": lambda: town.port.reverse("k", Reversal(party="PROV", reason="r", operator="o", prov_sn="A")),
        "clearing/status": lambda: town.port.clearing_status("k", event_id="E1"),
        "clearing/deductions": lambda: town.port.clearing_deductions("k", "E1", 1),
        "clearing/detail": lambda: town.port.download_clearing_detail("k", "2026", "11", 1),
        "receipt": lambda: town.port.receipt_of("k"),
    }
    for op, data in LACKING:
        body = json.dumps({"request_id": "@ID@", "code": "OK", "message": "", "data": data})
        town.plant("raw", op=op, body=body, times=1 if op == "reversal" else 3)
        outcome = await asked[op]()
        assert (outcome.kind, outcome.code, outcome.value) == ("unknown", "UNREADABLE", None), data


@ensure
async def test_over_tls_only_the_right_authority_is_believed(
    province_town: ProvinceTown, reactor: Any, tmp_path: Any
) -> None:
    town = await province_town.open(rows=2)
    authority, stranger = Authority(tmp_path, "ca"), Authority(tmp_path, "stranger")
    server, client = authority.issue("province"), authority.issue("gateway")
    settings = ServerTls(
        certificate_file=server.certificate_file, key_file=server.key_file, client_ca_file=authority.file
    )
    listening = await listen_endpoint(reactor, "tls:0:interface=127.0.0.1", ServerTlsContext(reactor, settings)).listen(
        PlatformFactory(town.province, reactor)
    )
    place = listening.getHost().port
    for ca, kind in ((authority, "done"), (stranger, "not_sent")):
        files = {"ca_file": ca.file, "certificate_file": client.certificate_file, "key_file": client.key_file}
        table = ", ".join(f'{name} = "{file}"' for name, file in files.items())
        port = town.wire(f'tls = {{{table}, server_name = "localhost"}}', port=place, scheme="https")
        outcome = await port.fetch_statement("k", "care", DAY, "PROV", town.folder / f"PROV{kind}")
        assert outcome.kind == kind, outcome
    await listening.stopListening()
