"""Progress on a terminal: how far the reading of a file is. Elsewhere nothing is shown, nor is rich loaded."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def progress(file: Path, doing: str = "导入") -> Iterator[Callable[[int], None]]:
    """Show a bar over the file's bytes when stderr is a terminal."""
    if not sys.stderr.isatty() or not file.exists():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{doing} {file.name}", total=file.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
