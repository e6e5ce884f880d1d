"""`liangding backup`: a copy of everything a node has, while it runs; the keys apart."""

from pathlib import Path

import attrs
import click

from adapters.store.backup import NotCopied
from gateway.app.backup_work import NotEmpty, back_up
from gateway.app.say import FAILED, USAGE, end, load, show
from gateway.core.oswords import words_of

_TITLES = {"lists": "结算清单", "books": "对账", "journal": "日志", "codes": "目录与对码", "security": "安全"}


@click.command(help="备份：各库（节点可以在运行）、日终文件、下载、库外检查点、配置；密钥用--keys另存一处")
@click.argument("config", type=click.Path())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), help="密钥存到这个文件夹；不给则不备份密钥")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def backup(config: str, folder: Path, keys: Path | None, as_json: bool) -> None:
    settings = load(config, as_json)
    if not settings.journal.exists():
        end(USAGE, f"没有日志库：{settings.journal}；请核对配置中的位置", as_json=as_json)
    try:
        done = back_up(settings, Path(config), folder, keys)
    except NotEmpty as cause:
        end(USAGE, str(cause), as_json=as_json)
    except OSError as cause:
        end(FAILED, f"备份没有完成：{words_of(cause)}：{cause.filename or folder}", as_json=as_json)
    except NotCopied as cause:
        end(FAILED, f"备份没有完成：库不能复制：{cause}", as_json=as_json)
    rooms, absent = ("、".join(_TITLES[one] for one in names) for names in (done.rooms, done.absent))
    lines = [
        f"已备份到{folder}：{rooms}库，{done.files}个文件，共{done.bytes}字节",
        *([f"还没有：{absent}库"] if absent else []),
        f"密钥{done.keys}个已存到{keys}，请与数据分开保存"
        if keys is not None
        else "密钥没有备份：--keys 给出另一个文件夹",
    ]
    show({"ok": True, **attrs.asdict(done)}, lines, as_json)
