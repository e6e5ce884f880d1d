"""`liangding books prune`: day files that were replaced and no run used; a running node removes them daily."""

import click

from gateway.app.acting import told
from gateway.app.codes_say import explained
from gateway.app.say import DONE, FAILED, Outside, end, load, show


@click.command("prune", help="清理已被替换、没有一次对账用过的机构日终文件；运行中的节点每天自动清理")
@click.argument("config", type=click.Path())
@click.option("--dry-run", is_flag=True, help="只看有多少，不删除")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def prune_command(outside: Outside, config: str, dry_run: bool, as_json: bool) -> None:
    settings = load(config, as_json)
    from gateway.app.books_deciding import opened  # with the store, only when it is opened
    from gateway.app.books_prune import prune

    files, size = 0, 0
    with told(as_json), explained(as_json), opened(settings) as store:
        while True:
            one = prune(settings, store, int(outside.now() * 1000), dry_run)
            if one.held:
                end(FAILED, "[SEC-HOLD] 日终文件已冻结清除（司法、审计需要），解除须两人办理", as_json=as_json)
            files, size = files + one.files, size + one.bytes
            if dry_run or not one.left:  # what was only counted would be counted again
                break
    text = f"{'可清理' if dry_run else '已清理'}{files}个文件，{size}字节{'，还有更多' if one.left else ''}"
    show({"files": files, "bytes": size, "left": one.left, "dry_run": dry_run}, [text], as_json)
    raise SystemExit(DONE)
