"""An institution's end of the day: its ledger of one date as a file (contract §7), and the marker that closes it.

The marker says how many rows the file has and what they add up to: a file without one is not finished, and nothing may
be concluded from what is not in it (reconciliation.md §1, §4.2).
"""

import io
import json
from pathlib import Path
from urllib.parse import urlencode

import attrs
from twisted.internet.defer import Deferred

from simulators.accounts import ledger_row, write_rows
from simulators.drive import Pool
from simulators.his import Institution
from simulators.money import fen, yuan
from simulators.wording import Json, read_object

FAULTS = ("missing_row", "wrong_amount", "extra_row", "no_marker", "wrong_marker")
TOTALS = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
PATH = "/api/v1/books"


@attrs.frozen(kw_only=True)
class DayFile:
    """One date of one institution. marker None: the institution has not signed the day off."""

    code: str
    date: str
    content: bytes
    marker: Json | None

    def write(self, folder: Path) -> Path:
        """Write the file and FILE.end.json; raises OSError."""
        path = folder / f"{self.code}_{self.date}.csv"
        path.write_bytes(self.content)
        end = path.with_name(f"{path.name}.end.json")
        end.unlink(missing_ok=True)
        if self.marker is not None:
            end.write_text(json.dumps(self.marker), "utf-8")
        return path

    def post(self, host: str) -> bytes:
        """The whole request that hands it to the gateway, its marker as query parameters."""
        query = f"?{urlencode(self.marker)}" if self.marker is not None else ""
        head = (
            f"POST {PATH}/{self.code}/{self.date}{query} HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Type: text/csv; charset=utf-8\r\nContent-Length: {len(self.content)}\r\n\r\n"
        )
        return head.encode() + self.content


def day_files(institution: Institution, fault: str = "", nth: int = 1) -> list[DayFile]:
    """A file for every date the institution settled on, and for today. fault: of FAULTS, planted into the first date's
    file at its nth row (1 = the first)."""
    today = institution.now()[:10]
    dates = sorted({row.setl_time[:10] for row in institution.ledger} | {today})
    return [_file(institution, date, fault if date == dates[0] else "", nth) for date in dates]


def _file(institution: Institution, date: str, fault: str, nth: int) -> DayFile:
    code = institution.code
    rows = [ledger_row(code, row) for row in institution.ledger if row.setl_time[:10] == date]
    if rows:
        _spoil(rows, fault, min(nth, len(rows)) - 1)
    text = io.StringIO()
    write_rows(rows, text)
    marker: Json = {"rows": len(rows)}
    marker |= {name: str(yuan(sum(fen(row[name]) for row in rows if name in row))) for name in TOTALS}
    if fault == "wrong_marker":
        marker["medfee_sumamt"] = str(yuan(fen(marker["medfee_sumamt"]) + 1))
    return DayFile(
        code=code, date=date, content=text.getvalue().encode(), marker=None if fault == "no_marker" else marker
    )


def _spoil(rows: list[dict[str, str]], fault: str, place: int) -> None:
    if fault == "missing_row":
        del rows[place]
    elif fault == "wrong_amount":
        for name, by_fen in (("medfee_sumamt", 100), ("psn_part_amt", 100), ("psn_cash_pay", 100)):
            rows[place][name] = str(yuan(fen(rows[place][name]) + by_fen))
    elif fault == "extra_row":
        twin = next((row for row in rows[place:] + rows[:place] if row["direction"] == "0"), rows[place])
        rows.append(twin | {name: f"X{twin[name]}"[:30] for name in ("setl_id", "msgid", "mdtrt_id")})


async def send(pool: Pool, host: str, files: list[DayFile]) -> list[str]:
    """Hand the files to the gateway; return why it did not take one."""
    reasons = []
    for file in files:
        ended: Deferred[tuple[int, bytes]] = Deferred()
        pool.send(file.post(host), lambda status, body, ended=ended: ended.callback((status, body)))  # type: ignore[misc]
        status, body = await ended
        said = read_object(body) or {}
        if status in (200, 201, 202):
            reasons += [f"日终文件{file.date} 与标志不符 {one}" for one in said.get("misfits") or ()]
        else:
            text = said.get("err_msg") or said.get("message") or f"HTTP {status}"
            reasons.append(f"日终文件{file.date} {text}")
    return reasons
