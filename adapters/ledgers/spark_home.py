"""Where Spark runs: whether it can, and the session a run borrows. Knows nothing of ledgers; loads Spark when asked.

Without a word of its operator Spark runs in this process's child, on this machine alone, reachable from nowhere else.
`SPARK_CONF_DIR`, Spark's own variable, names a folder with `spark-defaults.conf`: then master, memory and network are
what stands there (docs/scale.md).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.ledgers.engine import Limits

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA_MIN = 17
CONFIGURED = "SPARK_CONF_DIR"
_JAVA_S = 30
# What the statements count on, wherever they run.
_MEANING = {"spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "UTC", "spark.log.level": "ERROR"}
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_HERE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def missing() -> str:
    """Return what must be installed before Spark can run, in Chinese; '' when all is there."""
    lacking = [] if find_spec("pyspark") else ["pyspark：pip install 'liangding-gateway[spark]'"]
    if _java() < JAVA_MIN:
        lacking.append(f"Java {JAVA_MIN}：apt-get install openjdk-17-jre-headless，或用JAVA_HOME指明")
    return "；".join(lacking)


def _java() -> int:
    """Return the major version of the Java that Spark would start, 0 when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java:
        return 0
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=_JAVA_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0


@contextmanager
def session(folder: Path, limits: Limits, more: dict[str, str] | None = None) -> Iterator["SparkSession"]:
    """The session that is there, or one for as long as the context lasts. folder: where it may spill."""
    from pyspark.sql import SparkSession

    if there := SparkSession.getActiveSession():
        yield there
        return
    builder = SparkSession.builder.appName("liangding books").config(map=_settings(folder, limits) | (more or {}))
    found = builder.getOrCreate()
    try:
        yield found
    finally:
        found.stop()


def _settings(folder: Path, limits: Limits) -> dict[str, str]:
    if CONFIGURED in os.environ:
        return _MEANING | _QUIET
    here = {
        "spark.master": f"local[{limits.threads}]", "spark.driver.memory": f"{limits.memory_mb}m",
        "spark.local.dir": str(folder), "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }  # fmt: skip
    return _MEANING | _QUIET | _HERE | here
