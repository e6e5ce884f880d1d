"""A town of real processes for hostile tests: one gateway, two simulated platforms, one platform that lies.

Each institution comes from a loopback address of its own (127.0.0.0/8 is all loopback), so one node shows every kind
of source at once. Codes and what they are for stand below.
"""

import json
import ssl
import time
from pathlib import Path
from typing import Any

import attrs
from hostile_platform import Liar
from hostile_wire import Heard, Wire, post
from real_processes import Started, free_port, page_of, tool

from adapters.store.journal_reader import reading
from simulators import mapping

CITY = "H51080200001"  # goes to the simulated platform, with mappings
NEIGHBOUR = "H51080200002"
GROUP = ("P51080200101", "P51080200102")
VICTIM = "H51080200005"  # goes to the platform that lies, 1 s + 0.5 s of patience
SLOW = "H51080200006"  # two requests a second
CROWD = "H51080200007"  # the default 64 connections
TRUSTING = "H51080200011"  # TLS on both sides
NARROW = "H51080200012"  # its certificate is good from 127.0.0.9 only
UNLISTED = "H51080200013"  # has a valid certificate nobody bound
# Links whose TLS must fail before a request byte counts as sent: link -> (institution, source).
MISTRUST, NAMELESS, OTHERNAME, NOBODY = "H51080200014", "H51080200015", "H51080200016", "H51080200017"
UNDONE = "H51080200018"  # as the victim, but its doubts are reversed at once, again every 50 ms
ADDRESS = {
    CITY: "127.0.0.1",
    NEIGHBOUR: "127.0.0.3",
    GROUP[0]: "127.0.0.4",
    GROUP[1]: "127.0.0.4",
    VICTIM: "127.0.0.5",
    SLOW: "127.0.0.6",
    CROWD: "127.0.0.7",
    MISTRUST: "127.0.0.10",
    NAMELESS: "127.0.0.11",
    OTHERNAME: "127.0.0.12",
    NOBODY: "127.0.0.13",
    UNDONE: "127.0.0.14",
}
STRANGER = "127.0.0.2"
NARROW_ADDRESS = "127.0.0.9"
LINK = {
    CITY: "national",
    NEIGHBOUR: "national",
    TRUSTING: "secure",
    NARROW: "secure",
    MISTRUST: "mistrust",
    NAMELESS: "nameless",
    OTHERNAME: "othername",
    NOBODY: "nobody",
    UNDONE: "undoing",
}
MAPPED = ("diagnosis", "doctor", "drug")
TIMEOUT_S, LATE_S = 1.0, 0.5
QUIESCE_S = 3.0  # after so long "there is no such settlement" can be believed, on the link that reverses at once
PATIENCE_S = 20.0
REVERSING_STORY = ["JOURNALED", "SENT", "IN_DOUBT", "REVERSING"]


def client_tls(pki: Path, name: str, trusted: str = "ca.pem") -> ssl.SSLContext:
    """A client that trusts the city's authority and shows NAME's certificate ('' = none)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki / trusted)
    if name:
        context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    return context


@attrs.define(eq=False)
class Rig:
    """The town. Ports: plain and tls of the institutions' listener, admin, sim (http), safe (https)."""

    folder: Path
    liar: Liar = attrs.Factory(Liar)
    plain: int = attrs.Factory(free_port)
    tls: int = attrs.Factory(free_port)
    admin: int = attrs.Factory(free_port)
    sim: int = attrs.Factory(free_port)
    safe: int = attrs.Factory(free_port)
    running: dict[str, Started] = attrs.Factory(dict)

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def data(self) -> Path:
        return self.folder / "node"

    @property
    def gateway(self) -> Started:
        return self.running["gateway"]

    def open(self) -> None:
        lying = self.liar.open()
        codes = [*ADDRESS, TRUSTING, NARROW, UNLISTED]
        made = json.loads(
            tool(
                "certs", "city", str(self.pki), *(part for code in codes for part in ("--institution", code)), "--json"
            )
        )
        prints = {one["name"]: one["sha256"] for one in made["certificates"]}
        # The platforms start while mappings are imported.
        pki = self.pki
        self._start("sim", "simulators", "platform", "--listen", f"tcp:{self.sim}:interface=127.0.0.1")
        self._start(
            "safe", "simulators", "platform", "--listen", f"tcp:{self.safe}:interface=127.0.0.1",
            "--cert", str(pki / "platform.pem"), "--key", str(pki / "platform.key"), "--ca", str(pki / "ca.pem"),
        )  # fmt: skip
        self.config.write_text(self._toml(lying, prints), "utf-8")
        files = mapping.write_mappings(self.folder / "mapping")
        for system in MAPPED:
            people = ("--maker", "制单员", "--reviewer", "复核员")
            tool("gateway", "codes", "map", "import", str(self.config), CITY, system, str(files[system]), *people)
        self.start_gateway()
        self.running["sim"].wait_for(f"http://127.0.0.1:{self.sim}/sim/stats")

    def _start(self, name: str, module: str, *arguments: str) -> None:
        self.running[name] = Started.of(self.folder, name, module, *arguments)

    def start_gateway(self) -> None:
        self._start("gateway", "gateway", "run", str(self.config))
        self.gateway.wait_for(f"http://127.0.0.1:{self.admin}/readyz")

    def _toml(self, lying: int, prints: dict[str, str]) -> str:
        safe = f"https://127.0.0.1:{self.safe}/fsi/api/call"
        own = 'certificate_file = "pki/gateway.pem", key_file = "pki/gateway.key"'
        # Where a test is about not believing an answer, the doubt must stay to be looked at: no 2601 for an hour.
        unhurried = "reversal_schedule_s = [3600]\n"
        quick = f"timeout_s = {TIMEOUT_S}\nlate_window_s = {LATE_S}\nbreaker = {{failures = 100000, open_s = 5}}\n"
        text = f"""[node]
name = "hostile"
data_dir = "node"

[listen]
institutions = ["tls:{self.tls}:interface=127.0.0.1", "tcp:{self.plain}:interface=127.0.0.1"]
admin = "tcp:{self.admin}:interface=127.0.0.1"

[tls]
certificate_file = "pki/gateway.pem"
key_file = "pki/gateway.key"
client_ca_file = "pki/ca.pem"
crl_file = "pki/crl.pem"

[store]
url = "sqlite:node/liangding.sqlite"

[platform.national]
url = "http://127.0.0.1:{self.sim}/fsi/api/rsfComIfsService/callService"

[platform.lying]
url = "http://127.0.0.1:{lying}/fsi/api/call"
{quick}{unhurried}
[platform.undoing]
url = "http://127.0.0.1:{lying}/fsi/api/call"
reversal_schedule_s = [0, 0.05]
quiesce_s = {QUIESCE_S}
{quick}
[platform.secure]
url = "{safe}"
tls = {{ca_file = "pki/ca.pem", {own}}}

[platform.mistrust]
url = "{safe}"
tls = {{ca_file = "pki/foreign-ca.pem", {own}}}
{quick}
[platform.nameless]
url = "{safe}"
tls = {{ca_file = "pki/ca.pem"}}
{quick}
[platform.othername]
url = "{safe}"
tls = {{ca_file = "pki/ca.pem", {own}, server_name = "other.example"}}
{quick}
[platform.nobody]
url = "http://127.0.0.1:{free_port()}/fsi/api/call"
{quick}"""
        for code in (*ADDRESS, TRUSTING, NARROW):
            text += f'\n[[institution]]\nfixmedins_code = "{code}"\nname = "示例机构"\n'
            text += f'link = "{LINK.get(code, "lying")}"\nrate_per_s = {2 if code == SLOW else 100000}\n'
            if code in ADDRESS:
                text += f'allow_from = ["{ADDRESS[code]}/32"]\n'
            else:
                text += f'certificate_sha256 = ["{prints[code]}"]\n'
            if code == NARROW:
                text += f'allow_from = ["{NARROW_ADDRESS}/32"]\n'
        return text

    def close(self) -> None:
        self.liar.close()
        for one in self.running.values():
            one.end()

    # --- what tests do with it ---

    def wire(self, code: str = VICTIM) -> Wire:
        """A plain connection from an institution's address."""
        return Wire(self.plain, ADDRESS[code])

    def ask(self, body: bytes, code: str = VICTIM, path: str = "/fsi/api/call", *fields: str) -> Heard:
        """One request on a connection of its own."""
        with self.wire(code) as wire:
            wire.send(post(body, path, *fields))
            return wire.hear()

    def stats(self) -> dict[str, Any]:
        """What the simulated platform counted."""
        found: dict[str, Any] = json.loads(page_of(f"http://127.0.0.1:{self.sim}/sim/stats"))["counts"]
        return found

    def log_lines(self) -> list[dict[str, Any]]:
        """The gateway's log so far; lines are written 0.2 s late, so wait for the newest."""
        time.sleep(0.35)
        return [json.loads(line) for line in self.gateway.out.read_bytes().splitlines()]

    def alarms(self, msgid: str) -> list[str]:
        """Reasons of the alarms about a msgid."""
        return [line["reason"] for line in self.log_lines() if line["event"] == "alarm" and line.get("msgid") == msgid]

    def story(self, msgid: str, code: str = VICTIM) -> list[str]:
        """Every state a message has been in, oldest first; [] for one the journal does not hold."""
        with reading(self.data / "liangding.sqlite") as reader:
            return [state for row in reader.rows(code, msgid) for _, _, state, _ in reader.events(row)]

    def ended(self, msgid: str, state: str, code: str = VICTIM) -> list[str]:
        """Wait until a message is in this state; return its story."""
        deadline = time.monotonic() + PATIENCE_S
        while (told := self.story(msgid, code))[-1:] != [state]:
            assert time.monotonic() < deadline, (told, state)
            time.sleep(0.02)
        return told

    def sendings(self, omsgid: str, code: str) -> dict[str, str]:
        """msgid -> state of every 2601 the journal holds for an original."""
        with reading(self.data / "liangding.sqlite") as reader:
            rows = reader.rows(code, limit=1_000_000)
        return {row.msgid: row.state for row in rows if row.omsgid == omsgid}

    def journal(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(institution, msgid) -> row, as `liangding journal list --json` tells it."""
        told = json.loads(tool("gateway", "journal", "list", str(self.config), "--limit", "1000000", "--json"))
        assert told["count"] == len(told["rows"])
        return {(row["fixmedins_code"], row["msgid"]): row for row in told["rows"]}
