"""`liangding journal` on a store that is no journal says so, and shows no traceback."""

from pathlib import Path

import attrs
import pytest

from gateway.app.cli_journal import _open


@attrs.frozen
class FakeConfig:
    journal: Path


@pytest.mark.parametrize(
    ("content", "said"), [(None, "日志库不存在"), (b"no database" * 100, "日志库打不开"), (b"", "日志库打不开")]
)
def test_a_store_that_is_no_journal_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    path = tmp_path / "journal.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        _open(FakeConfig(path))  # type: ignore[arg-type]
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
