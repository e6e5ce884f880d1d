"""A discharged patient on a town's platform, and the whole list of the stay as a hospital collects it; all invented."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import schemas
from gateway.app.facts import code_forms, read_files
from gateway.app.lists_desk import SCRIPTS, desk
from gateway.core.codes import Libraries, build_snapshot

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "simulators"))

from codes_town import HOSPITAL, CodesTown
from sheets import Ready, good

from adapters.store.lists import ListsReader, Upload, reading
from simulators.money import yuan
from simulators.settling import fund_lines

KEY = bytes(range(32))


class Bed:
    """One list in the store of a town's node, and its settlement at the platform."""

    def __init__(self, town: CodesTown) -> None:
        self.town, ready = town, Ready()
        self.row = ready.row
        town.platform.books = ready.counter.platform.books
        town.platform.books.lists.review_s = 0.0
        town.platform.known = ready.counter.platform.known
        self._codes()
        town.config.key_file.parent.mkdir(parents=True, exist_ok=True)
        town.config.key_file.write_bytes(KEY)
        town.config.key_file.chmod(0o600)

    def _codes(self) -> None:
        institution = self.town.desk.institutions[HOSPITAL]
        institution.snapshot = build_snapshot((), Libraries({}, code_forms(read_files())))

    def open_desk(self) -> None:
        """Begin a desk's life, as a start of the node does."""
        self.town.open_desk()
        self._codes()

    def tree(self, **changes: str) -> dict[str, Any]:
        """The collected list: what the message carries, and what only the hospital knows."""
        example = json.loads((schemas.ROOT / "settlement_list" / "examples.json").read_bytes())["good"]
        sent = json.loads(json.dumps(good(self.row), default=str))
        total = yuan(sum(int(Decimal(one["fund_payamt"]) * 100) for one in fund_lines(self.row)))
        own = {"act_ipt_days": "2", "acct_pay": "0", "psn_cashpay": "0", "psn_selfpay": "0", "psn_ownpay": "0"}
        head = {**example["setlinfo"], **{k: str(v) for k, v in sent["setlinfo"].items()}, **own, **changes}
        head |= {"fixmedins_code": HOSPITAL, "oprn_oprt_code_cnt": "1", "insuplc": "510800"}
        fees = {"med_chrgitm": "06", "amt": total, "claa_sumfee": total}
        return {**sent, "setlinfo": head, "iteminfo": [fees]}

    def collect(self, **changes: str) -> list[str]:
        """Take the list into the node's store; return the rules it breaks."""
        one = self.town.desk.institutions[HOSPITAL]
        opening = desk(self.town.config, HOSPITAL, "tester", self.town.entropy, self.town.reactor.seconds, one.snapshot)
        with opening as opened, opened.writer.transaction():
            found = opened.take("whole", self.tree(**changes), "test").findings
        return [one.rule for one in found if one.level == "error"]

    def state(self) -> str:
        found = self.upload()
        return found.state if found is not None else ""

    def upload(self) -> Upload | None:
        with reading(self.town.config.room("lists"), len(SCRIPTS)) as look:
            assert isinstance(look, ListsReader)
            visit = look.visit(HOSPITAL, self.row.mdtrt_id)
            assert visit is not None
            return look.upload(visit)

    def count(self, infno: str) -> int:
        return sum(one["infno"] == infno for one in self.town.arrived)
