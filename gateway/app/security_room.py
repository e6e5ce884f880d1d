"""Whether the security room is there. It is asked before anything is opened or made: a room that was taken away must
not be followed by an empty one, in which anybody is the first administrator and nothing is on hold."""

from collections.abc import Iterator
from contextlib import contextmanager

import schemas
from adapters.store.books_approved import names_approvals
from adapters.store.security import SecurityStore
from adapters.store.security_opening import begun, reading
from gateway.app.config import Config
from gateway.core.approval import TrailFailed

SCRIPTS = tuple(schemas.read("migrations/security", ".sql"))


def missing(config: Config) -> str:
    """Return what is to be said when the room is gone, or empty, while something else tells that there was one; ''
    when it is there, or there never was one."""
    path, traces = config.room("security"), []
    key = config.signing_key_file.exists()  # looked at before the store, which is made before it
    there = path.exists()
    if there and begun(path):
        return ""
    if config.checkpoint_file.exists() and config.checkpoint_file.stat().st_size:
        traces.append(f"库外检查点文件{config.checkpoint_file}")
    if key and not there:
        traces.append(f"签名密钥{config.signing_key_file}")
    if names_approvals(config.room("books")):
        traces.append(f"对账库{config.room('books')}里由两人批准的记录")
    if not traces:
        return ""
    text = f"安全库{'是空的' if there else '不见了'}：{path}，而{'、'.join(traces)}还在，说明曾经有过"
    again = "查清确属从头开始的，把上述文件改名保存（它们是证据），再建立第一个安全管理员"
    return f"{text}；请停止办理，由备份恢复安全库。{again}"


def room_is_there(config: Config) -> bool:
    """Say whether there is a security room. Raises TrailFailed when there was one, and it is gone."""
    if text := missing(config):
        raise TrailFailed(text)
    path = config.room("security")
    return path.exists() and begun(path)


@contextmanager
def looking(config: Config) -> Iterator[SecurityStore | None]:
    """Open the room for one look, None when there never was one. Raises TrailFailed when it is gone, or cannot be
    read."""
    if room_is_there(config):
        with reading(config.room("security"), len(SCRIPTS)) as store:
            yield store
    else:
        yield None
