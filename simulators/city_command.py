"""python -m simulators city | city-long: one seed with its trace, or very many on all cores (resumable)."""

import gc
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from simulators.city import City, facts
from simulators.weather import WEATHERS

STORMS = tuple(name for name in WEATHERS if name != "calm")
CHUNK = 50
GC_OBJECTS = 50_000
Broken = list[tuple[str, int, list[str]]]


def weather_of(seed: int) -> str:
    """Return which storm a seed of a long run is played in."""
    return STORMS[seed % len(STORMS)]


def replay(name: str, seed: int, hours: float = 1.0, full: bool = False) -> str:
    """Return the one line that plays a seed again."""
    more = " --full" if full else ""
    return f"python -m simulators city --weather {name} --seed {seed} --hours {hours:g}{more} --trace"


@click.command(help="步进时钟上的城市：同一种子，同一轨迹。先风暴后平静，再比对外部账本，检查不变量I1-I15。")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--hours", type=click.FloatRange(min=0.1, max=240), default=1.0, show_default=True, help="风暴占一半")
@click.option("--weather", "name", type=click.Choice(sorted(WEATHERS)), default="storm", show_default=True)
@click.option("--full", is_flag=True, help="完整的医院、药店和平台")
@click.option("--trace", is_flag=True, help="打印轨迹")
def city(seed: int, hours: float, name: str, full: bool, trace: bool) -> None:
    """`python -m simulators city`."""
    weather = attrs.evolve(WEATHERS[name], storm_s=hours * 1800.0)
    played = City(seed, weather, money=max(18, int(50 * hours)), full=full).run()
    found = played.faults()
    if trace:
        click.echo("\n".join(played.trace))
    for line in found:
        click.echo(line, err=True)
    results = "，".join(f"{key} {count}" for key, count in sorted(played.watch.results.items()))
    cases = len(played.witness.cases())
    click.echo(
        f"种子{seed}（{name}）：{len(played.trace)}个事件，网关启动{played.lives}次，{len(played.journal.rows)}条日志；"
        f"{results}；差异案例{cases}件，违反不变量{len(found)}处"
    )
    if found:
        click.echo(replay(name, seed, hours, full), err=True)
    sys.exit(3 if found else 0)


def broken_seeds(seeds: Iterable[int]) -> Broken:
    """Play seeds; return those that broke an invariant."""
    found: Broken = []
    for seed in seeds:
        name = weather_of(seed)
        try:
            faults = City(seed, WEATHERS[name], traced=False).run().faults()
        except Exception as cause:  # boundary: a city that falls over is a finding with a seed, like any other
            faults = [f"{type(cause).__name__}: {cause}"]
        if faults:
            found.append((name, seed, faults))
    return found


def _chunk(first: int) -> tuple[int, Broken]:
    return first, broken_seeds(range(first, first + CHUNK))


@attrs.define
class Log:
    """What a long run has done so far, on disk."""

    path: Path
    done: set[int] = attrs.Factory(set)
    broken: Broken = attrs.Factory(list)

    def load(self) -> "Log":
        if self.path.exists():
            plain = json.loads(self.path.read_text("utf-8"))
            self.done = set(plain["chunks"])
            self.broken = [(name, seed, faults) for name, seed, faults in plain["broken"]]
        return self

    def add(self, first: int, broken: Broken) -> None:
        self.done.add(first)
        self.broken += broken
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"chunks": sorted(self.done), "broken": self.broken}), "utf-8")
        os.replace(fresh, self.path)


def missing(log: Log, seeds: int) -> Iterator[int]:
    """Yield the first seed of every chunk that was not played yet."""
    return (first for first in range(0, seeds, CHUNK) if first not in log.done)


@click.command("city-long", help="在全部处理器核上玩很多个种子；中断后再运行会接着做。")
@click.option("--seeds", type=click.IntRange(min=1), default=100_000, show_default=True)
@click.option("--log", "path", type=click.Path(path_type=Path), default=Path("var/city-long.json"), show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True)
def city_long(seeds: int, path: Path, jobs: int) -> None:
    """`python -m simulators city-long`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = Log(path).load()
    todo = list(missing(log, seeds))
    facts()  # read once, shared by the children
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 50)  # nearly everything of a day dies by itself: as in a node
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as progress, multiprocessing.Pool(jobs) as pool:
        task = progress.add_task("种子", total=seeds, completed=seeds - len(todo) * CHUNK)
        for first, broken in pool.imap_unordered(_chunk, todo):
            log.add(first, broken)
            progress.advance(task, CHUNK)
            for name, seed, faults in broken:
                click.echo(f"{faults[0]}\n  {replay(name, seed)}", err=True)
    click.echo(f"共{len(log.done) * CHUNK}个种子，违反不变量的{len(log.broken)}个")
    sys.exit(3 if log.broken else 0)
