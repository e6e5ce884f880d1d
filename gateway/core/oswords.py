"""What an operating system's refusal means, in the operator's language. Pure: it is told the error, it causes none."""

import errno

_WORDS = {
    errno.ENOENT: "不存在",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EEXIST: "已存在",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.EISDIR: "是目录，不是文件",
    errno.ELOOP: "是符号链接",
    errno.ENAMETOOLONG: "名称太长",
    errno.ENOSPC: "磁盘空间不足",
    errno.EDQUOT: "磁盘配额已满",
    errno.EROFS: "文件系统只读",
    errno.EIO: "磁盘读写出错",
    errno.EMFILE: "打开的文件过多",
    errno.ENFILE: "打开的文件过多",
    errno.ENOLCK: "文件系统不支持加锁",
    errno.EADDRINUSE: "端口已被占用",
    errno.EADDRNOTAVAIL: "本机没有这个地址",
}


def words_of(cause: OSError) -> str:
    """Return a few Chinese words; an error without words of ours keeps its name (`EBADF`)."""
    number = cause.errno or 0
    return _WORDS.get(number) or f"系统错误{errno.errorcode.get(number, number)}"
