"""What the bench says: tables for people (Chinese) and one JSON file. Arithmetic is in `rounds`; nothing is judged here
but whether a number is within its aim."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table as Drawn

from bench import rounds
from bench.rounds import Table

TITLES: Mapping[str, str] = {
    "2102": "资金：2102，10条药品明细，本地编码",
    "2207": "资金：2207，无明细",
    "1101": "查询：1101",
    "mix": "压力机混合业务",
}


@attrs.frozen
class Aim:
    """A number that ought to be at most (or at least) so much. void: measured with wrong answers, says nothing."""

    name: str
    value: float | None
    limit: float
    unit: str = ""
    at_least: bool = False
    void: bool = False

    @property
    def met(self) -> bool | None:
        """None when it was not measured, or is void."""
        if self.value is None or self.void:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def word(self) -> str:
        return "无效" if self.void else {None: "未测", True: "达到", False: "未达到"}[self.met]


def aims(table: Table, other: Mapping[str, Any]) -> list[Aim]:
    """The aims of the design's budget and of the journal, with what this run found."""
    found = []
    for kind, limit, nginx in (("2102", 0.45, 6), ("2207", 0.45, 6), ("1101", 0.25, 4), ("mix", 0.30, 5)):
        gateway = ("gateway", kind)
        for name, proxy, most in (("Agent", "agent", limit), ("nginx", "nginx", nginx)):
            other_cell = (proxy, kind)
            void = table.void(gateway) or table.void(other_cell)
            ratio = table.ratio(gateway, other_cell)
            found.append(Aim(f"{TITLES[kind]}：对 {name} 裸代理", ratio, most, "倍", void=void))

    def at(*path: str) -> float | None:
        here: Any = other
        for name in path:
            here = here.get(name) if isinstance(here, Mapping) else None
        return None if here is None else float(here)

    bound = at("journal", "of_fsync_bound")
    found += [
        Aim("日志：64个等待 ÷ 逐条提交", at("journal", "times_single"), 20, "倍", at_least=True),
        Aim("日志：64个等待 ÷ (64 ÷ fsync中位数)", bound, 0.8, "倍", at_least=True),
        Aim("日志：每次追加CPU", at("journal", "group", "cpu_us"), 40, "µs"),
        Aim(
            "开环每秒1000个请求，客户端所见：p99", at("openloop", "p99_ms"), 25, "ms", void=bool(at("openloop", "void"))
        ),
        Aim("2 MB报文（2301，2000条）：校验加转码", at("bigbody", "total_ms"), 60, "ms"),
        Aim("2 MB报文：反应器最长一步", at("bigbody", "longest_ms"), 5, "ms"),
        Aim("更换30万条对码：其他线程得不到处理器最长", at("swap", "longest_cpu_ms"), 20, "ms"),
        Aim("导入药品目录（1301，30万行）", _full(other, "drug", 300_000, "seconds"), 60, "s"),
        Aim("导入耗材目录（1306A，300万行）", _full(other, "consumable", 3_000_000, "seconds"), 600, "s"),
        Aim("　内存峰值", _full(other, "consumable", 3_000_000, "peak_mb"), 300, "MB"),
        Aim(
            "查300万行的目录（不在内存），中位数", _full(other, "consumable", 3_000_000, "median_us", "look"), 30, "µs"
        ),
        Aim("空闲节点，30万条对码：内存", at("idle", "rss_mb"), 250, "MB"),
        Aim("空闲节点，30万条对码：启动", at("idle", "start_s"), 3, "s"),
    ]
    return found


def _full(other: Mapping[str, Any], system: str, rows: int, name: str, part: str = "") -> float | None:
    """A number of the libraries' part, when it was measured at full size."""
    found = other.get("libraries", {})
    if found.get(system, {}).get("rows", 0) < rows:
        return None
    return float(found[part or system][name])


def proxies(table: Table, names: Mapping[str, str], skipped: Mapping[str, str]) -> list[Drawn]:
    """One table a kind of message."""
    drawn = []
    for kind, title in TITLES.items():
        cells = [(proxy, kind) for proxy in names if (proxy, kind) in table.cells()]
        if not cells:
            continue
        one = Drawn(title=title, title_justify="left")
        one.add_column("代理")
        for name in ("CPU µs/请求", "最小", "用户态", "请求/秒", "÷ Agent", "÷ nginx", "÷ Node"):
            one.add_column(name, justify="right")
        for cell in cells:
            if table.void(cell):
                one.add_row(names[cell[0]], "[red]无效")
                continue
            found = table.summed(cell)
            ratios = (_times(table.ratio(cell, (other, kind))) for other in ("agent", "nginx", "node"))
            one.add_row(
                names[cell[0]], f"{found.cpu_us:.1f}", f"{found.cpu_us_min:.1f}", f"{found.user_share:.0%}",
                f"{found.per_s:,.0f}", *ratios,
            )  # fmt: skip
        for proxy, why in skipped.items():
            one.add_row(names[proxy], f"[yellow]{why}")
        drawn.append(one)
    return drawn


def _times(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _one_place(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


def _number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def aims_table(found: Sequence[Aim]) -> Drawn:
    one = Drawn(title="指标", title_justify="left")
    for name, side in (("指标", "left"), ("本次", "right"), ("目标", "right"), ("", "left")):
        one.add_column(name, justify="right" if side == "right" else "left")
    colours = {None: "yellow", True: "green", False: "red"}
    for aim in found:
        sign = "≥" if aim.at_least else "≤"
        one.add_row(
            aim.name, f"{_number(aim.value)} {aim.unit}", f"{sign} {aim.limit:g} {aim.unit}",
            f"[{colours[aim.met]}]{aim.word}",
        )  # fmt: skip
    return one


def others_table(other: Mapping[str, Any]) -> Drawn:
    """Everything that is not a request row, as name and value."""
    one = Drawn(title="日志、对码、大报文、内存", title_justify="left")
    one.add_column("项目")
    one.add_column("结果", justify="right")
    for name, value in _lines(other):
        one.add_row(name, value)
    return one


def _books_lines(other: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    books = other.get("books")
    if books:
        lines += [
            (
                f"对账：{books['settlements']:,}笔，四方账目，读入至报告（s，CPU s）",
                f"{books['wall_s']} / {books['cpu_s']}",
            ),
            ("　行/s", f"{books['rows_per_s']:,}"),
            ("　内存峰值（MB）", f"{books['peak_rss_mb']}"),
            ("　3202结果10万行解析（CPU s）", f"{books['result_100k_s']}"),
        ]
    month = other.get("month")
    if month:
        steps = " / ".join(f"{month[name]}" for name in ("freeze_s", "verify_s", "build_s"))
        lines += [
            (f"一个月{month['settlements']:,}笔：固化 / 验证 / 生成清算申请（s）", steps),
            ("　内存峰值、库（MB）", f"{month['peak_rss_mb']} / {month['store_mb']}"),
        ]
    return lines


def _lines(other: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    journal = other.get("journal")
    if journal:
        group, pairs, single = journal["group"], journal["pairs"], journal["single"]
        lines += [
            ("日志：64个等待，追加/秒", f"{group['per_s']:,.0f}（每批{group['batch']:.0f}，{group['cpu_us']:.1f} µs）"),
            ("日志：受理加结果，追加/秒", f"{pairs['per_s']:,.0f}（{pairs['cpu_us']:.1f} µs）"),
            ("日志：逐条提交，追加/秒", f"{single['per_s']:,.0f}（{single['cpu_us']:.0f} µs）"),
            ("本盘 write + fdatasync 中位数", f"{journal['fsync_us']:.0f} µs"),
        ]
    lookups = other.get("lookups")
    if lookups:
        lines += [
            ("明细行翻译/秒（计划本身的代码：查、换、留凭据）", f"{lookups['plan_lines_per_s']:,.0f}"),
            ("对码查询/秒（完整规则）", f"{lookups['look_up_per_s']:,.0f}"),
        ]
    suggested = other.get("suggestions")
    if suggested:
        sure = f"{suggested['right_ratio']:.1%}正确，{suggested['sure_ratio']:.0%}较确定"
        lines += [
            (
                f"对码建议：{suggested['local']:,}条院内药品，{suggested['national']:,}条国家目录（CPU s）",
                f"{suggested['cpu_s']:.1f}",
            ),
            ("　首选", sure),
            ("　内存峰值（MB）", f"{suggested['peak_rss_mb']}"),
        ]
    lists = other.get("lists")
    if lists:
        lines += [
            (f"结算清单检查：平均{lists['bytes'] / 1000:.1f} kB一份（CPU ms/份）", f"{lists['list_ms']:.2f}"),
            ("　内存峰值（MB）", f"{lists['peak_rss_mb']}"),
        ]
    lines += _books_lines(other)
    load = other.get("openloop")
    if load:
        shares = " / ".join(_one_place(load[name]) for name in ("p50_ms", "p99_ms", "p999_ms"))
        good = f"{load['done']} / {load['sent']}"
        lines += [
            (f"开环{load['rate']}请求/秒，客户端所见 p50 / p99 / p99.9（ms）", shares),
            ("　成功 / 发出", f"[red]{good}，无效" if load["void"] else good),
            *((f"　　未成功 {kind}", f"[red]{count}") for kind, count in load["failed"].items()),
            ("　其中网关量得的平台往返，平均（ms）", _one_place(load["platform_mean_ms"])),
            ("　网关CPU（µs/请求）", f"{load['gateway_cpu_us']:.0f}"),
        ]
    big = other.get("bigbody")
    if big:
        lines += [
            (
                f"2 MB报文（{big['bytes']:,}字节）合计 / 最长一步（ms）",
                f"{big['total_ms']:.1f} / {big['longest_ms']:.1f}",
            ),
            ("　步数", f"{big['turns']}"),
        ]
    swap = other.get("swap")
    if swap:
        lines += [
            (
                "更换30万条对码：最长停顿 处理器 / 时钟（ms）",
                f"{swap['longest_cpu_ms']:.1f} / {swap['longest_wall_ms']:.1f}",
            ),
            ("　从改动到生效（s）", f"{swap['built_s']:.1f}"),
        ]
    lines += _libraries(other.get("libraries"))
    idle = other.get("idle")
    if idle:
        lines += [
            ("空闲节点，30万条对码：内存 / 峰值（MB）", f"{idle['rss_mb']:.0f} / {idle['peak_mb']:.0f}"),
            ("　启动到可受理 / 其中CPU（s）", f"{idle['start_s']:.2f} / {idle['start_cpu_s']:.2f}"),
            ("　导入30万条（s）", f"{idle['import_s']:.1f}"),
        ]
    lines += [(name, f"[yellow]{why}") for name, why in other.get("skipped", {}).items()]
    return lines


def _libraries(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if not found:
        return []
    lines = [
        (
            f"导入{name}目录{found[system]['rows']:,}行（s / 每行µs / 内存峰值MB）",
            f"{found[system]['seconds']:.0f} / {found[system]['us_per_row']:.0f} / {found[system]['peak_mb']:.0f}",
        )
        for system, name in (("drug", "药品"), ("consumable", "耗材"), ("increment", "耗材增量"))
    ]
    look, search = found["look"], found["search"]
    times = " / ".join(f"{look[name]:.1f}" for name in ("median_us", "p99_us", "missing_us"))
    found_in = " / ".join(f"{search[name]:.1f}" for name in ("name_ms", "initials_ms", "code_ms"))
    return [
        *lines,
        ("　查一个编码 中位数 / p99 / 没有的（µs）", times),
        ("　查找 名称 / 首字母 / 编码（ms）", found_in),
        ("　两个版本比较（s）", f"{found['diff_s']:.1f}"),
    ]


def machine() -> dict[str, Any]:
    """What the run ran on."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else ""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": model,
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": list(os.getloadavg()),
    }


def ratios(table: Table) -> list[dict[str, Any]]:
    """Every gateway row by every other proxy with the same kind of message."""
    found = []
    for upper in table.cells():
        for lower in table.cells():
            if upper[0].startswith("gateway") and upper[0] != lower[0] and upper[1] == lower[1]:
                both = {"median": table.ratio(upper, lower), "of_minima": table.ratio_of_minima(upper, lower)}
                found.append({"kind": upper[1], "of": upper[0], "to": lower[0], **both})
    return found


def write(path: Path, table: Table, other: Mapping[str, Any], skipped: Mapping[str, str]) -> dict[str, Any]:
    """Write var/bench.json and return what was written."""
    found = {
        "machine": machine(),
        "rows": rounds.as_json(table),
        "ratios": ratios(table),
        "bad": table.bad(),
        "skipped": dict(skipped),
        "aims": [{**attrs.asdict(aim), "met": aim.met} for aim in aims(table, other)],
        **other,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
    return found


def show(
    console: Console, table: Table, other: Mapping[str, Any], names: Mapping[str, str], skipped: Mapping[str, str]
) -> None:
    """Print everything."""
    for drawn in proxies(table, names, skipped):
        console.print(drawn)
    console.print(others_table(other))
    console.print(aims_table(aims(table, other)))
    for what, count in table.bad().items():
        console.print(f"[red]应答不正确：{what}：{count}次，相应的行无效")
