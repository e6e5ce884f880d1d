"""A province's simulator and the adapter that speaks with it, on real sockets; the day before, a hospital was busy."""

import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any

import attrs
from twisted.internet.endpoints import serverFromString

from adapters.store.writer import WriterThread
from gateway.app.config import read_config
from gateway.app.province import Province as Wired
from gateway.app.province import make_province
from gateway.core.province import ProvincialPort
from simulators.postings import Posting
from simulators.province import Province
from simulators.province_faults import fault_of
from simulators.wire import PlatformFactory
from simulators.wording import Json

DAY = "2026-11-21"
NEXT_MORNING_S = 1_795_219_200.0 + 86_400.0  # 2026-11-22 08:00 in Beijing
SECRET = b"not much of a secret"
CONFIG = """
[node]
name = "n"
data_dir = "node"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:node/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:9/fsi/api/call"
[[institution]]
fixmedins_code = "H51080200001"
name = "示例医院"
link = "national"
allow_from = ["127.0.0.1/32"]
[province]
url = "{scheme}://127.0.0.1:{port}"
role = "both"
account = "510800"
secret_file = "province.secret"
again_s = 0
{more}
"""


@attrs.frozen
class Morning:
    """The next morning's wall clock, on the reactor's timers."""

    reactor: Any

    def seconds(self) -> float:
        return NEXT_MORNING_S

    def callLater(self, delay: float, call: Callable[..., object], /, *args: object) -> Any:
        return self.reactor.callLater(delay, call, *args)


def posted(number: int, *, direction: str = "0") -> Json:
    """A row of the city platform's ledger, of a patient insured elsewhere; amounts add up."""
    sign = -1 if direction == "1" else 1
    stem = f"510800S{number:06d}"
    medfee, fund = 10_001 + 100 * number, 7_000 + number
    return {
        "setl_id": stem if direction == "0" else f"{stem}R", "refund_of": "" if direction == "0" else stem,
        "fixmedins_code": "H51080200001", "mdtrt_id": f"510800M{number:06d}", "psn_no": f"5108{number:016d}",
        "msgid": f"H51080200001{number:018d}", "insutype": "310", "clr_type": "11", "setl_time": f"{DAY} 10:00:00",
        "insuplc_admdvs": "500100", "clr_optins": "510000", "clr_pay_loc": "4", "reversed": False,
        "medfee_fen": sign * medfee, "fund_fen": sign * fund, "hifp_fen": sign * fund, "cvlserv_fen": 0, "hifes_fen": 0,
        "maf_fen": 0, "acct_fen": 0, "person_fen": sign * (medfee - fund), "cash_fen": sign * (medfee - fund),
        "hosp_fen": 0,
    }  # fmt: skip


@attrs.define(eq=False)
class ProvinceTown:
    """One province with so many postings of DAY, and the gateway's port to it."""

    reactor: Any
    folder: Path
    province: Province = attrs.field(init=False)
    wired: Wired = attrs.field(init=False)
    faults: list[Exception] = attrs.Factory(list)
    helper: WriterThread = attrs.field(init=False)
    _port: Any = None
    _wires: list[Wired] = attrs.Factory(list)
    _numbers: Any = attrs.Factory(itertools.count)

    async def open(self, rows: int = 10, **options: Any) -> "ProvinceTown":
        self.helper = WriterThread(self.reactor.callFromThread, "province")
        self.province = Province(Morning(self.reactor), Random(1), accounts={"510800": SECRET}, **options)
        self.province.post([posted(number) for number in range(rows)])
        endpoint: Any = serverFromString(self.reactor, "tcp:0:interface=127.0.0.1")  # type: ignore[no-untyped-call]
        self._port = await endpoint.listen(PlatformFactory(self.province, self.reactor))
        self.wire()
        return self

    def wire(self, more: str = "", secret: bytes = SECRET, port: int = 0, scheme: str = "http") -> ProvincialPort:
        """Make the port of a configuration, anew."""
        (self.folder / "province.secret").write_bytes(secret + b"\n")
        (self.folder / "province.secret").chmod(0o600)
        self.wired = self._make(more, port or self._port.getHost().port, scheme)
        self._wires.append(self.wired)
        return self.wired.port

    def _make(self, more: str, port: int, scheme: str) -> Wired:
        file = self.folder / "gateway.toml"
        file.write_text(CONFIG.format(port=port, scheme=scheme, more=more), "utf-8")
        config = read_config(file)
        numbers = self._numbers
        made = make_province(
            config, reactor=self.reactor, clock=Morning(self.reactor), helper=self.helper,
            entropy=lambda count: next(numbers).to_bytes(count, "big"), report=self.faults.append,
        )  # fmt: skip
        assert made is not None
        return made

    @property
    def port(self) -> ProvincialPort:
        return self.wired.port

    def plant(self, kind: str, **facts: Any) -> None:
        self.province.plant(fault_of({"kind": kind, **facts}))

    def book(self, ledger: str) -> list[Posting]:
        return list(self.province.books[ledger].live())

    async def close(self) -> None:
        for wired in self._wires:
            await wired.close()
        if self._port is not None:
            await self._port.stopListening()
        self.helper.stop()
        assert self.faults == []
