"""One text in a zip: there and back, and everything that is not that (security T10)."""

import io
import zipfile

import pytest

from adapters.files import parcel


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def test_a_text_comes_back_and_the_same_text_gives_the_same_bytes() -> None:
    packed = parcel.pack("dz.txt", "一\t二\n")
    assert parcel.unpack(packed) == "一\t二\n"
    assert packed == parcel.pack("dz.txt", "一\t二\n")
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["dz.txt"]


@pytest.mark.parametrize("raw", ["余额".encode(), "\ufeff余额".encode(), "余额".encode("gb18030")])
def test_encodings_are_told_apart_strictly(raw: bytes) -> None:
    assert parcel.unpack(zipped(("result.txt", raw))) == "余额"


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"PK\x03\x04",
        b"text",
        zipped(),
        zipped(("a.txt", b"1"), ("b.txt", b"2")),
        zipped(("a.txt", b"\xff\xff\xff")),
        zipped(("a.txt", b"x" * (parcel.TEXT_BYTES_MAX + 1))),  # 4 kB that become 4 MB
        b"PK" + b"\0" * (parcel.PACKED_BYTES_MAX + 1),
        zipped(("a.txt", b"12345678"))[:40] + b"\0\0\0" + zipped(("a.txt", b"12345678"))[43:],
    ],
)
def test_anything_else_is_nothing(packed: bytes) -> None:
    assert parcel.unpack(packed) is None


def test_a_header_that_lies_about_the_size_does_not_help() -> None:
    whole = zipped(("a.txt", b"x" * (parcel.TEXT_BYTES_MAX + 1)))
    size = (parcel.TEXT_BYTES_MAX + 1).to_bytes(4, "little")
    assert parcel.unpack(whole.replace(size, (9).to_bytes(4, "little"))) in (None, "x" * 9)
