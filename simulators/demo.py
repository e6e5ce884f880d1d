"""`liangding demo`: a business day of a small city, with real processes, real TLS and real files.

Two hospitals and three pharmacies bill through one gateway to one platform; in the evening the three ledgers are
compared to the fen: what each institution believes, what the gateway journalled, what the platform booked.
On the way every eighth answer about money is lost; the gateway reverses what nobody knows. Exit 0 only if the books
agree, nothing is left in doubt, and nothing an institution wanted was left undone, its own statement (3201) included.
"""

import csv
import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simulators import agreement, demo_doubts, mapping
from simulators.agreement import COMPONENTS, Amounts, Difference, Ledger
from simulators.arguments import Wrong
from simulators.demo_books import REMOTE_EVERY, BooksChapter
from simulators.demo_codes import Chapter
from simulators.demo_lists import REGION_RULES, ListsChapter
from simulators.demo_people import PERSONS
from simulators.money import yuan
from simulators.processes import Failed, Processes, free_port
from simulators.wording import Json

HOSPITALS = {"H51080200001": "示例市第一医院", "H51080200002": "示例市中医院"}
PHARMACIES = {"P51080200101": "示例大药房东店", "P51080200102": "示例大药房西店", "P51080200103": "示例便民药店"}
NAMES = HOSPITALS | PHARMACIES
LISTED = "H51080200001"  # its settlement lists are collected by the gateway; the other sends its own
UNMAPPED = "H51080200002"  # starts the day without a mapping
DAY_S = 600.0
MARKER = ".liangding-demo"  # lies in every folder a demo has made
LOSE_EVERY = 8
DOUBTS_S = 90.0
# The real times are minutes and hours (reversal specification §5.1); a demonstration has seconds.
LINK = """timeout_s = 3
late_window_s = 1
quiesce_s = 8
reversal_schedule_s = [0, 1, 2, 5]
"""
# For the end, after the institutions: a table of its own.
_PROVINCE = """
[province]
url = "http://127.0.0.1:{}"
account = "demo"
secret_file = "province.secret"
again_s = 0.2

[security]
checkpoint_file = "audit.checkpoints"
"""


@attrs.define
class Demo:
    """One played day in one folder."""

    folder: Path
    seed: int
    patients: int
    console: Console
    processes: Processes
    ports: tuple[int, int, int] = (0, 0, 0)  # platform, institutions over TLS, institutions on loopback
    config: Path = Path()
    chapter: Chapter = attrs.field(init=False)
    lists: ListsChapter = attrs.field(init=False)
    books: BooksChapter = attrs.field(init=False)

    def play(self, once: bool) -> int:
        """Play the day; return the exit code: 0 all well, 3 the books do not agree, 1 anything else, also cut short."""
        code = 1
        try:
            admin = self._open_city()
            undone = self._business() + self._lists()
            code = 3 if not self._evening() else 1 if undone else 0
            self.console.print(f"控制台：http://127.0.0.1:{admin}/ ，指标：http://127.0.0.1:{admin}/metrics")
            if not once:
                self.console.print("网关与平台仍在运行，按 Ctrl-C 结束。")
                signal.pause()
        except KeyboardInterrupt:
            return code
        except Failed as cause:
            return self._failed(str(cause))
        except OSError as cause:
            return self._failed(f"{cause.filename or ''} {cause.strerror or cause}".strip())
        finally:
            self.processes.close()
        return code

    def _failed(self, why: str) -> int:
        self.console.print(Text(f"演示失败：{why}", style="red"), soft_wrap=True)
        return 1

    # --- morning ---

    def _open_city(self) -> int:
        claim(self.folder)
        self.console.rule("两定网关演示：示例市的一个营业日")
        self._say("生成一次性证书（城市PKI）")
        codes = [part for code in NAMES for part in ("--institution", code)]
        codes += [part for name in PERSONS for part in ("--person", name)]
        made = self.processes.tool("certs", "city", str(self.folder / "pki"), *codes, "--json")
        prints = {one["name"]: one["sha256"] for one in json.loads(made)["certificates"]}
        platform, inst, plain, admin, province = (free_port() for _ in range(5))
        self.ports = (platform, inst, plain)
        for name in ("tif.secret", "province.secret"):
            (self.folder / name).write_text(f"demo-{self.seed}-{name}", "utf-8")
            os.chmod(self.folder / name, 0o600)
        (self.folder / "region_lists.toml").write_text(REGION_RULES, "utf-8")
        config = self.folder / "gateway.toml"
        config.write_text(self._config(platform, inst, plain, admin, prints) + _PROVINCE.format(province), "utf-8")
        self.config = config
        self._say("导入国家标准编码目录与各机构对码（双人：制单员、复核员）")
        library = self._import(config)
        self._say(f"{HOSPITALS[UNMAPPED]}还没有任何对码：用建议、人工核对和两人复核对完九类编码")
        self.chapter = Chapter(self.processes, config, self.folder, UNMAPPED, library, self.console, self._say)
        self.chapter.map_everything()
        pki, url = self.folder / "pki", f"https://127.0.0.1:{inst}"
        self.lists = ListsChapter(self.processes, config, self.folder, LISTED, url, pki, self.console, self._say)
        self.books = BooksChapter(
            self.processes,
            config,
            self.folder,
            pki,
            f"http://127.0.0.1:{province}",
            url,
            NAMES,
            self.console,
            self._say,
        )
        self._say("启动医保平台、省平台模拟器与网关")
        self.processes.start(
            "platform", "simulators", "platform", "--listen", f"tcp:{platform}:interface=127.0.0.1",
            "--seed", str(self.seed), "--verify-signature", "tif", "--account", "demo",
            "--secret-file", str(self.folder / "tif.secret"), "--lose-every", str(LOSE_EVERY),
            "--lists-review-after", "0.2", "--remote-every", str(REMOTE_EVERY),
        )  # fmt: skip
        self.processes.wait_ready("platform", "医保平台模拟器", f"http://127.0.0.1:{platform}/sim/stats")
        self.processes.start(
            "province", "simulators", "province", "--listen", f"tcp:{province}:interface=127.0.0.1",
            "--platform", f"http://127.0.0.1:{platform}", "--account", "demo",
            "--secret-file", str(self.folder / "province.secret"),
        )  # fmt: skip
        self.processes.start("gateway", "gateway", "run", str(config))
        self.processes.wait_ready("province", "省平台模拟器", f"http://127.0.0.1:{province}/sim/stats")
        self.processes.wait_ready("gateway", "网关", f"http://127.0.0.1:{admin}/readyz")
        self._say("对码上传平台（3301），再与平台持有的比对（1317）")
        self.chapter.upload()
        self._say("对码覆盖率")
        self.chapter.coverage(self.folder / "coverage.html")
        return admin

    def _config(self, platform: int, inst: int, plain: int, admin: int, prints: dict[str, str]) -> str:
        text = f"""[node]
name = "demo"
data_dir = "node"

[listen]
institutions = ["tls:{inst}:interface=127.0.0.1", "tcp:{plain}:interface=127.0.0.1"]
admin = "tcp:{admin}:interface=127.0.0.1"

[tls]
certificate_file = "pki/gateway.pem"
key_file = "pki/gateway.key"
client_ca_file = "pki/ca.pem"
crl_file = "pki/crl.pem"

[store]
url = "sqlite:node/liangding.sqlite"

[codes]
mdtrtarea_admvs = "510800"
recer_sys_code = "YBXT"

[books]
day_closes = "00:00"  # the played day is closed while the real one goes on

[lists]
rules = "region_lists.toml"

[platform.national]
url = "http://127.0.0.1:{platform}/fsi/api/rsfComIfsService/callService"
region = "national"
signing = {{profile = "tif", paasid = "demo", secret_file = "tif.secret"}}
{LINK}"""
        for code, name in NAMES.items():
            # Hospitals come over TLS with their own certificate; pharmacies over an agent on the same machine.
            source = (
                f'certificate_sha256 = ["{prints[code]}"]' if code in HOSPITALS else 'allow_from = ["127.0.0.1/32"]'
            )
            text += f'\n[[institution]]\nfixmedins_code = "{code}"\nname = "{name}"\nlink = "national"\n{source}\n'
        return text

    def _import(self, config: Path) -> dict[str, Path]:
        """Import the libraries, and the mappings of all but one institution; return the libraries' files."""
        library = mapping.write_libraries(self.folder / "library")
        for system, file in library.items():
            self.processes.tool("gateway", "codes", "import", str(config), system, str(file))
        files = mapping.write_mappings(self.folder / "mapping")
        for code in (code for code in NAMES if code != UNMAPPED):
            for system, file in files.items():
                people = ("--maker", "制单员", "--reviewer", "复核员")
                self.processes.tool("gateway", "codes", "map", "import", str(config), code, system, str(file), *people)
        return library

    # --- the day ---

    def _business(self) -> int:
        """Return how many institutions left something undone; each is told, and all books are compared all the same."""
        self._say("开门：两家医院、三家药店同时办理业务（均使用本院编码），收市后各自与平台对总账")
        _, inst, plain = self.ports
        for number, (code, name) in enumerate(NAMES.items()):
            hospital = code in HOSPITALS
            arguments = [
                "hospital" if hospital else "pharmacy", "--code", code, "--name", name, "--seed",
                str(self.seed + number), "--patients", str(self.patients), "--first-person", str(100 * number),
                "--evening", "--ledger", str(self.folder / f"{code}.csv"), *self.books.arguments(code),
            ]  # fmt: skip
            if code == LISTED:
                arguments += ["--discharged", str(self.folder / f"{code}.lists.jsonl")]
            if hospital:
                pki = self.folder / "pki"
                arguments += ["--gateway", f"https://127.0.0.1:{inst}", "--ca", str(pki / "ca.pem")]
                arguments += ["--cert", str(pki / f"{code}.pem"), "--key", str(pki / f"{code}.key")]
            else:
                arguments += ["--gateway", f"http://127.0.0.1:{plain}"]
            self.processes.start(code, "simulators", *arguments)
        self._say("营业中国家药品目录更新：换用新版本，列出将失效的对码")
        self.chapter.new_release()
        undone = 0
        for code, name in NAMES.items():
            try:
                self.processes.wait_ended(code, f"{name}的一天", DAY_S)
            except Failed as cause:
                undone += 1
                self.console.print(Text(str(cause), style="red"), soft_wrap=True)
        return undone

    def _lists(self) -> int:
        """Return 1 when the lists did not get there; it is told, and all books are compared all the same."""
        self._say(f"{HOSPITALS[LISTED]}的出院病人：结算清单由网关采集、检查、上传")
        try:
            self.lists.play(self.folder / f"{LISTED}.lists.jsonl")
        except Failed as cause:
            self.console.print(Text(str(cause), style="red"), soft_wrap=True)
            return 1
        return 0

    # --- the evening ---

    def _evening(self) -> bool:
        settled = self._doubts()
        self._say("收市：三方账本逐笔核对到分")
        books = {"机构": self._institution_ledgers(), "网关": self._gateway_ledger(), "平台": self._platform_ledger()}
        found = list(agreement.differences(books))
        self.console.print(three_ledgers(books, found))
        for one in found:
            self.console.print(f"[red]{one.key[0]} {one.key[1]}[/] {one.what}")
        self._translations()
        agreed = not found and all(bookings_of(books["机构"], code) for code in NAMES)
        self.console.print("[green]三方账本一致[/]" if agreed else "[red]三方账本不一致[/]")
        if not settled:
            self.console.print("[red]仍有结算结果未知或待人工处理[/]")
        closed = agreed and settled and self.books.play()
        if agreed and settled and not closed:
            self.console.print("[red]当日账目没有对平[/]")
        return closed

    def _doubts(self) -> bool:
        """Wait until the gateway has ended every doubt, show what became of them; False when one is left."""
        self._say("等候网关了结没有答复的结算")
        deadline = time.monotonic() + DOUBTS_S
        rows = self._journal()
        while any(row["state"] in demo_doubts.OPEN for row in rows) and time.monotonic() < deadline:
            time.sleep(1.0)
            rows = self._journal()
        doubts = demo_doubts.doubts_of(rows)
        self.console.print(demo_doubts.table_of(doubts, NAMES))
        msgid = demo_doubts.example_of(doubts)
        if msgid:
            self._say("其中一笔的经过（liangding journal show）")
            told = self.processes.tool("gateway", "journal", "show", str(self.config), msgid)
            self.console.print(told, markup=False, highlight=False, soft_wrap=True)
        return not any(row["state"] in demo_doubts.UNSETTLED for row in rows)

    def _journal(self) -> list[Json]:
        told = self.processes.tool(
            "gateway", "journal", "list", str(self.config), "--limit", "1000000", "--full", "--json"
        )
        found: list[Json] = json.loads(told)["rows"]
        return found

    def _platform_ledger(self) -> Ledger:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[0]}/sim/ledger", timeout=10) as answer:
                return agreement.of_platform(json.load(answer)["rows"])
        except (OSError, ValueError) as cause:
            raise Failed(f"平台的账本取不到：{cause}") from cause

    def _gateway_ledger(self) -> Ledger:
        return agreement.of_gateway([row for row in self._journal() if row["state"] in ("ACKED", "CONFIRMED")])

    def _institution_ledgers(self) -> Ledger:
        found: Ledger = {}
        for code, name in NAMES.items():
            try:
                with (self.folder / f"{code}.csv").open(encoding="utf-8-sig", newline="") as file:
                    found |= agreement.of_csv(csv.DictReader(file))
            except (OSError, ValueError, KeyError) as cause:
                raise Failed(f"{name}的账本读不出：{cause}") from cause
        return found

    def _translations(self) -> None:
        """Show a few codes as proof: what the hospital wrote, what the platform got."""
        code = next(iter(HOSPITALS))
        told = self.processes.tool(
            "gateway", "journal", "list", str(self.config), "--institution", code, "--limit", "400", "--json"
        )
        table = Table(title="编码翻译示例（凭据留存于日志）", title_justify="left")
        for name in ("交易", "位置", "本院编码", "国家编码"):
            table.add_column(name)
        shown: set[str] = set()
        for row in json.loads(told)["rows"]:
            if row["infno"] not in ("2203", "2204", "2301", "2401"):
                continue
            story = json.loads(
                self.processes.tool("gateway", "journal", "show", str(self.config), row["msgid"], "--json")
            )
            for one in story["rows"][0]["evidence"]:
                if one["system"] not in shown and not one["system"].endswith(":name"):
                    shown.add(one["system"])
                    table.add_row(row["infno"], one["path"], one["local_code"], one["national_code"])
            if len(shown) >= 5:
                break
        self.console.print(table)

    def _say(self, line: str) -> None:
        self.console.print(f"· {line}")


def claim(folder: Path) -> None:
    """Make the folder ours and empty. Raises Wrong when it holds anything and no demo has made it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = [path for path in folder.iterdir() if path.name != MARKER]
        if found and not (folder / MARKER).is_file():
            raise Wrong(f"--data不是演示目录，不会清空：{folder}（非空且没有{MARKER}；请换一个目录，或自行删除其内容）")
        (folder / MARKER).write_text("演示目录：每次演示开始时清空\n", "utf-8")
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as cause:
        raise Wrong(f"--data不能使用：{folder}") from cause


def bookings_of(ledger: Ledger, code: str) -> list[Amounts]:
    """Return everything one institution's part of a ledger holds."""
    return [amounts for key, bookings in ledger.items() if key[0] == code for amounts in bookings]


def three_ledgers(books: Mapping[str, Ledger], found: Sequence[Difference]) -> Table:
    """Draw a line an institution: how many bookings each party has, the institution's sums, and whether all agree."""
    table = Table(title="三方账本", title_justify="left")
    for name in ("机构", f"笔数 {'/'.join(books)}", *(one.title for one in COMPONENTS if one.shown), "结论"):
        table.add_column(name, justify="left" if name in ("机构", "结论") else "right")
    unequal = {one.key[0] for one in found}
    for code, name in NAMES.items():
        own = bookings_of(books["机构"], code)
        shown = [number for number, one in enumerate(COMPONENTS) if one.shown]
        sums = [yuan(sum(amounts[number] for amounts in own)) for number in shown]
        counts = "/".join(str(len(bookings_of(ledger, code))) for ledger in books.values())
        good = own and code not in unequal
        table.add_row(name, counts, *(f"{one:,}" for one in sums), "[green]一致[/]" if good else "[red]不一致[/]")
    return table


def arguments_of(options: dict[str, Any]) -> Demo:
    """Make the demo of command-line options."""
    folder = Path(options["data"]).absolute()
    console = Console(width=max(118, Console().width))
    return Demo(folder, options["seed"], options["patients"], console, Processes(folder))
