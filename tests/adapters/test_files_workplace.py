"""A folder to work in: gone with the work, and told from what a killed program left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.files.spool import Spool, sweep
from adapters.files.workplace import Workplace, left_over, remove_left_over

HOLDS = """
import sys
from pathlib import Path
from adapters.files.spool import Spool
from adapters.files.workplace import Workplace
place = Workplace.make(".in-", Path(sys.argv[1]))
(place.path / "a").write_text("abc")
spool = Spool.open(Path(sys.argv[1]), 10)
print(place.path, spool.path, flush=True)
sys.stdin.read()
"""


def test_it_is_private_and_goes_with_the_work(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), Workplace.make(".in-", tmp_path) as path:
        assert path.parent == tmp_path and path.name.startswith(".in-") and path.stat().st_mode & 0o777 == 0o700
        (path / "deeper").mkdir()
        (path / "deeper" / "a").write_text("x")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


def test_only_what_no_process_holds_is_left_over(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None and program.stdin is not None
    folder, part = (Path(name) for name in program.stdout.readline().split())
    for path in (folder, part):
        assert left_over(path) is None and not remove_left_over(path) and path.exists()
    sweep(tmp_path, 1e12)
    assert part.exists()
    program.send_signal(signal.SIGKILL)
    program.communicate()
    os.utime(folder / "a", (1000, 1000))
    os.utime(folder, (2000, 2000))
    found = left_over(folder)
    assert found is not None and found.size >= 3 and found.changed_s == 2000
    assert remove_left_over(folder) and not folder.exists()
    sweep(tmp_path, 0)
    assert not part.exists()


def test_links_and_what_is_gone_are_left_alone(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / ".in-x"
    kept.mkdir()
    (kept / "a").write_text("x")
    link.symlink_to(kept)
    for path in (link, tmp_path / "none"):
        assert left_over(path) is None and not remove_left_over(path)
    assert (kept / "a").exists() and link.is_symlink()


def test_a_file_that_is_arriving_is_in_use_until_it_is_let_go(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 10)
    assert left_over(spool.path) is None
    path = spool.keep("1301", "2026-11-22")
    spool.drop()
    assert left_over(path) is not None
