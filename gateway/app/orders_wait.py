"""A command's side of an order (annex X35): write it, watch it, tell how it ended. The node does the work."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from adapters.store.codes_orders import OrdersStore, WorkStatus, node_runs
from gateway.app.say import FAILED, USAGE, end

LOOK_S = 0.2
GONE_S = 30.0  # a node that restarts is back before that


def order_and_wait(
    store: Path,
    scripts: Sequence[tuple[str, bytes]] | Callable[[], OrdersStore],
    what: tuple[str, str, str],
    arguments: dict[str, object],
    who: str,
    now: Callable[[], float],
    as_json: bool,
) -> WorkStatus:
    """Write an order (kind, institution, system) and return its end. Without a running node: ends with exit code 2.

    scripts: of the codes room's store, or what opens the orders of another room. Ctrl-C ends the command only; the
    order goes on.
    """
    if not node_runs(store):
        end(USAGE, "没有正在运行的节点，此命令需由节点执行；请先启动：liangding run 配置文件", as_json=as_json)
    with closing(scripts() if callable(scripts) else OrdersStore.open(store, scripts)) as orders:
        number = orders.place(*what, arguments, who, int(now() * 1000))
        try:
            return _watched(orders, store, number, as_json)
        except KeyboardInterrupt:
            end(FAILED, f"命令已中断，任务{number}仍由节点执行", as_json=as_json)


def _watched(orders: OrdersStore, store: Path, number: int, as_json: bool) -> WorkStatus:
    missing_s = 0.0
    with _bar(number) as show:
        while True:
            status = orders.status(number)
            assert status is not None  # orders are never removed
            if status.outcome:
                return status
            show(status)
            missing_s = 0.0 if node_runs(store) else missing_s + LOOK_S
            if missing_s > GONE_S:
                _gone(number, as_json)
            time.sleep(LOOK_S)


def _gone(number: int, as_json: bool) -> NoReturn:
    end(FAILED, f"节点已停止，任务{number}未完成；节点重新启动后会继续执行", as_json=as_json)


@contextmanager
def _bar(number: int) -> Iterator[Callable[[WorkStatus], None]]:
    """Show progress when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda status: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"任务{number} 等待节点", total=None)

        def show(status: WorkStatus) -> None:
            words = status.note or "等待节点"
            bar.update(task, description=f"任务{number} {words}", completed=status.done, total=status.total or None)

        yield show
