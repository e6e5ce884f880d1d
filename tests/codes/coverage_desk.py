"""A configuration, a real codes store and a real journal, and `liangding codes coverage` run on them."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from configured import NOW_S, configured, institution

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.model import Accept, Entry
from gateway.core.translation import Evidence

HOSPITAL, PHARMACY = "H99010300001", "P99010300001"
DAY_S = 86_400.0


def config(hospital: str = "示例医院", pharmacy: str = "示例药房") -> str:
    return configured(
        institution(HOSPITAL, hospital, "core", 'regime = "local"'),
        institution(PHARMACY, pharmacy, "core"),
        platforms=("core",),
    )


def drug(number: int) -> str:
    """Return a national drug code of the right form."""
    return f"XJ01CAA900E001020{number:06d}"


def evidence(system: str, local: str, national: str = "") -> Evidence:
    version = "m1" if national else "unmapped"
    return ("input.feedetail[0].med_list_codg", system, local, national, version, "2026-11-17")


class Desk:
    """A folder with everything in it. Times are days before NOW_S."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.folder = folder
        self.config = str(folder / "gateway.toml")
        (folder / "gateway.toml").write_text(text or config(), "utf-8")
        (folder / "var").mkdir()
        self._open = True
        self._counter = itertools.count(1)
        self.journal = folder / "var" / "liangding.sqlite"
        self.codes = folder / "var" / "liangding-codes.sqlite"
        vault = Vault(bytes(32), "aes-256-gcm", lambda size: bytes(size))
        self._journal = SqliteJournal.open(self.journal, vault, list(schemas.read("migrations/journal", ".sql")))

    def run(self, *arguments: str, code: int = 0, ago: float = 0) -> Result:
        now = NOW_S - ago * DAY_S
        outside = Outside(run_node=lambda config: 7, simulate=lambda words: 8, now=lambda: now, entropy=bytes)
        result = CliRunner().invoke(cli, ["codes", *arguments], obj=outside)
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        return result

    def library(self, rows: Iterable[tuple[str, str]], system: str = "drug", ago: float = 100) -> None:
        """Import a national library: code, last day ('' = open)."""
        path = self.folder / "library.csv"
        lines = [f"{code},名称,2021-01-01,{until},1" for code, until in rows]
        path.write_text("\n".join(["code,name,begndate,enddate,vali_flag", *lines]) + "\n", "utf-8")
        self.run("import", self.config, system, str(path), "--ver", f"V{ago}", ago=ago)

    def map(
        self,
        *rows: str,
        system: str = "drug",
        who: str = HOSPITAL,
        reviewer: str = "乙",
        ago: float = 30,
        code: int = 0,
    ) -> None:
        """Import a mapping file of `local,national,from,to,evidence` rows; without reviewer as a draft."""
        path = self.folder / "map.csv"
        path.write_text("\n".join(["local_code,national_code,valid_from,valid_to,evidence", *rows]) + "\n", "utf-8")
        words = ["--maker", "甲", *(["--reviewer", reviewer] if reviewer else [])]
        self.run("map", "import", self.config, who, system, str(path), *words, code=code, ago=ago)

    def send(
        self,
        *rows: Evidence,
        fen: int | None = None,
        visit: str = "",
        who: str = HOSPITAL,
        ago: float = 1,
        state: Any = "DONE",
    ) -> None:
        """Leave a request in the journal; with fen it is a settlement."""
        number = next(self._counter)
        klass, infno = ("W", "2204") if fen is None else ("M", "2207")
        entry = Entry(
            id=number, fixmedins_code=who, msgid=f"m{number}", infno=infno, klass=klass, link="core", state=state,
            digest=b"d" * 32, created_ms=int((NOW_S - ago * DAY_S) * 1000), medfee_fen=fen, mdtrt_id=visit,
        )  # fmt: skip
        self._journal.commit([Accept(entry=entry, evidence=rows)])

    def coverage(self, *options: str, code: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("coverage", self.config, *options, "--json", code=code).stdout)
        return found

    def close(self) -> None:
        """Close the journal; may be called again."""
        if self._open:
            self._open = False
            self._journal.close()


def figures(found: dict[str, Any], who: str, system: str) -> dict[str, Any]:
    """Return what the JSON says of one library of one institution."""
    (mine,) = (one for one in found["institutions"] if one["institution"] == who)
    (one,) = (one for one in mine["systems"] if one["system"] == system)
    plain: dict[str, Any] = one
    return plain


def fraction(figure: dict[str, Any]) -> tuple[int, int]:
    return figure["numerator"], figure["denominator"]
