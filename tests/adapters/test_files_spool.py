"""A file that arrives piece by piece: named by its digest, bounded, never left half."""

import os
import zipfile
from pathlib import Path

import pytest

from adapters.crypto.digest import sm3
from adapters.files.spool import Spool, empty_archive, has_text, sweep


def test_a_file_gets_its_name_from_its_digest(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 100)
    for piece in (b"ab", b"", b"c"):
        spool.write(piece)
    digest, size = spool.end()
    path = spool.keep("1301", "2026-11-22")
    spool.drop()
    assert (digest, size) == (sm3(b"abc").hex(), 3)
    assert path == tmp_path / "1301" / "2026-11-22" / f"{digest}.bin"
    assert path.read_bytes() == b"abc" and path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("part-*")) == []


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    one, two = Spool.open(tmp_path, 100), Spool.open(tmp_path, 100)
    one.write(b"1")
    two.write(b"2")
    assert (one.head(9), two.head(9)) == (b"1", b"2")
    one.drop()
    two.drop()
    two.drop()
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_big_is_thrown_away(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 3)
    spool.write(b"abc")
    assert not spool.too_big
    spool.write(b"d")
    spool.write(b"e" * 1000)
    assert spool.too_big and spool.path.stat().st_size == 3
    spool.drop()


def test_a_piece_that_was_not_written_spoils_the_file(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 100)
    spool.spoil(OSError("full"))
    with pytest.raises(OSError, match="full"):
        spool.end()
    spool.drop()


def test_a_sweep_takes_rests_and_old_files(tmp_path: Path) -> None:
    sweep(tmp_path / "none", 0)
    (tmp_path / "part-1-0").write_bytes(b"x")
    old, new = tmp_path / "1301" / "2020-01-01" / "a.bin", tmp_path / "1301" / "2026-01-01" / "b.bin"
    for path, at_s in ((old, 100), (new, 300)):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        os.utime(path, (at_s, at_s))
    sweep(tmp_path, 200)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [new]


def test_an_answer_in_words_is_told_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, words in (
        (b'{"infcode":-1}', True),
        (b"\xef\xbb\xbf \n{", True),
        (b"PK\x03\x04{", False),
        (b"", False),
    ):
        path.write_bytes(content)
        assert has_text(path, b"{") is words


def test_only_a_sound_archive_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for text, empty in ((b"", True), (b"row\n", False)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", text)
        assert empty_archive(path) is empty
    path.write_bytes(b"PK broken")
    assert not empty_archive(path)
    path.write_bytes(b"")
    assert empty_archive(path)
