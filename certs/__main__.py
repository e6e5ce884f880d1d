"""`python -m certs city DIR`: make a throw-away PKI for tests and the demonstration, never for a real site."""

import json
import sys
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import click

from certs.city import INSTITUTIONS, CityError, Made, make_city


def _width(text: str) -> int:
    """Columns a terminal needs: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def table(made: Sequence[Made]) -> str:
    """Return what was made as a table: file name, purpose, end of validity (UTC), SHA-256 of the DER."""
    rows = [("证书", "用途", "有效期至", "SHA-256（DER）")]
    rows += [
        (
            f"{one.name}.pem",
            one.purpose,
            one.issued.certificate.not_valid_after_utc.date().isoformat(),
            one.issued.sha256,
        )
        for one in made
    ]
    widths = [max(_width(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )


@click.group(help="测试证书工具：只用于测试和演示，不得用于正式环境。")
def main() -> None:
    """Group of commands; `city` is the only one."""


@main.command(help="在 DIR 中生成一座测试城市的全部证书。")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--institution",
    "institutions",
    metavar="CODE",
    multiple=True,
    default=INSTITUTIONS,
    help="定点医药机构编号，可重复；不填则为演示用的五家。",
)
@click.option("--person", "persons", metavar="NAME", multiple=True, help="另给工作人员（第二因素）的证书，可重复。")
@click.option("--force", is_flag=True, help="目录中已有证书时重新生成。")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象。")
def city(folder: Path, institutions: tuple[str, ...], persons: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Write the PKI and print it. Exit 0 done, 1 not written, 2 wrong usage."""
    try:
        now_s = time.time()  # noqa: TID251 (a tool's edge: real time)
        made = make_city(folder, institutions, now_s, replace=force, persons=persons)
    except CityError as wrong:
        click.echo(f"错误：{wrong}", err=True)
        sys.exit(2)
    except OSError as failure:
        click.echo(f"错误：无法写入 {folder}：{failure.strerror}", err=True)
        sys.exit(1)
    if as_json:
        rows = [{"name": one.name, "purpose": one.purpose, "sha256": one.issued.sha256} for one in made]
        click.echo(json.dumps({"dir": str(folder), "certificates": rows}, ensure_ascii=False))
        return
    click.echo(table(made))
    click.echo(f"\n已写入 {folder}（私钥权限0600；另有 crl.pem、foreign-ca.pem）。仅供测试和演示。")


if __name__ == "__main__":
    main(prog_name="python -m certs")
