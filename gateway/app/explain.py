"""What stopped a start, in one Chinese sentence and an exit code (contract §2; annex X27)."""

from twisted.internet.error import CannotListenError

from adapters.crypto.digest import SelfTestError
from adapters.crypto.keyfile import KeyFileError
from adapters.platform.signing import SigningError
from adapters.store.sqlite_journal import StoreLocked, WrongKey
from adapters.transport.tls import TlsConfigError
from gateway.app.say import FAILED, USAGE
from gateway.core.catalogue import CatalogueError
from gateway.core.model import StoreBroken, StoreFull
from gateway.core.oswords import words_of

_WRONG_SETUP = (SelfTestError, KeyFileError, SigningError, TlsConfigError, CatalogueError, ValueError)


def explain(cause: BaseException) -> tuple[int, str]:
    """Return (exit code, Chinese sentence)."""
    if isinstance(cause, StoreLocked):
        return USAGE, f"另一个运行中的节点正在使用日志库：{cause}"
    if isinstance(cause, WrongKey):
        return USAGE, f"密钥文件不是加密此日志库的那一个：{cause}"
    if isinstance(cause, StoreFull):
        return FAILED, "磁盘空间不足，日志库无法写入；请腾出空间后再试"
    if isinstance(cause, StoreBroken):
        return FAILED, f"日志库无法打开或写入：{cause}"
    if isinstance(cause, _WRONG_SETUP):
        return USAGE, str(cause)
    if isinstance(cause, CannotListenError):
        why = words_of(cause.socketError) if isinstance(cause.socketError, OSError) else str(cause.socketError)
        return FAILED, f"不能监听{cause.interface}:{cause.port}：{why}"
    if isinstance(cause, OSError):
        return FAILED, f"文件或网络不能使用：{cause.filename or ''}（{words_of(cause)}）"
    return FAILED, f"启动失败：{type(cause).__name__}：{cause}"
