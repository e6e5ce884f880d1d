"""The report of the morning (reconciliation specification §4.3): where it goes, and how its order ends."""

from pathlib import Path

import msgspec

from gateway.app.books_tasks import Reported, ReportTask
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.config import Config


def report_task(config: Config, data: Path, work: Work) -> ReportTask:
    """Return what the child is to write, with its folders made. Raises OSError."""
    day, role = str(work.order.arguments["date"]), str(work.order.arguments["role"])
    folder = data / "books" / "reports" / f"{day}-{role}"
    for path in (folder, data / "books" / day / "work"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    plain = msgspec.Raw(msgspec.json.encode(config))
    return ReportTask(config=plain, role=role, date=day, now_ms=work.desk.now_ms(), folder=str(folder))


def ended(task: ReportTask, told: Reported) -> Ended:
    """Return how the order ends. Raises GaveUp where the books do not know the day."""
    if not told.files:
        raise GaveUp(f"{task.date}还没有对账记录，日报未写")
    result: dict[str, object] = {"date": task.date, "role": task.role, "files": told.files}
    return Ended("done" if told.agreed else "findings", result)
