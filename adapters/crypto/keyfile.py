"""Key files: 32 random bytes on disk that only their owner can read (annex X34).

A key is written whole under another name and then linked into place, so a crash leaves either no key or a good one,
and two processes that start together agree on one.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from gateway.core.oswords import words_of

KEY_BYTES = 32
_SECRET_BYTES_MAX = 64 * 1024


class KeyFileError(Exception):
    """A key or secret file cannot be used. The operator's to mend; the text is Chinese and names the file; exit 2."""


def read_private(path: Path, size_max: int = _SECRET_BYTES_MAX) -> bytes:
    """Return the bytes of a file that only its owner may read (mode 0600, no symbolic link).

    Raises KeyFileError when it is missing, is not a plain file, has another mode, or is longer than size_max bytes.
    """
    try:
        # O_NONBLOCK: opening a FIFO by mistake must not hang the start.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as cause:
        raise KeyFileError(f"密钥文件无法打开：{path}（{words_of(cause)}）") from cause
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise KeyFileError(f"密钥文件不是普通文件：{path}")
        mode = stat.S_IMODE(facts.st_mode)
        if mode != 0o600:
            raise KeyFileError(f"密钥文件权限必须为0600，现为{mode:04o}：{path}，请执行 chmod 600")
        with open(handle, "rb", closefd=False) as file:
            content = file.read(size_max + 1)
    finally:
        os.close(handle)
    if len(content) > size_max:
        raise KeyFileError(f"密钥文件超过{size_max}字节：{path}")
    return content


def load_key(path: Path) -> bytes:
    """Return the 32 bytes of an existing key file; raises KeyFileError."""
    key = read_private(path)
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"密钥文件长度应为{KEY_BYTES}字节，现为{len(key)}字节：{path}")
    return key


def load_or_make_key(path: Path, entropy: Callable[[int], bytes]) -> bytes:
    """Return the 32-byte key in `path`, making it from entropy(32) with mode 0600 when there is none.

    Raises KeyFileError when the file there is not a good key, or none can be written. Whoever finds a store with
    sealed answers but no key should call load_key instead: a new key cannot open them.
    """
    if not os.path.lexists(path):
        try:
            _place(path, entropy)
        except FileExistsError:
            pass  # another process was first: its key is the key
        except OSError as cause:
            raise KeyFileError(f"密钥文件无法创建：{path}（{words_of(cause)}）") from cause
    return load_key(path)


def _place(path: Path, entropy: Callable[[int], bytes]) -> None:
    key = entropy(KEY_BYTES)
    if len(key) != KEY_BYTES or len(set(key)) == 1:
        raise KeyFileError("随机数发生器异常，未生成密钥")
    draft = path.with_name(f".{path.name}.{entropy(8).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # the umask may have taken the owner's bits
            file.write(key)
            file.flush()
            os.fsync(handle)
        os.link(draft, path)  # fails with FileExistsError where a rename would overwrite
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # sealed answers must not outlive the name of their key
    finally:
        os.close(folder)
