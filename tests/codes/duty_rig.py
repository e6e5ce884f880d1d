"""A desk for entry requests: a configuration, the commands, and forms filled with numbers nobody has."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from click.testing import CliRunner, Result
from configured import NOW_S, configured, institution

from gateway.app.cli_codes import codes

HOSPITAL, OTHER = "H99010300001", "H99010200002"
DAY = 86_400.0
CONFIG = configured(institution(HOSPITAL), institution(OTHER, "第二医院"))
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def identity(serial: int) -> str:
    """Return a number of a region that does not exist, with the check digit of GB 11643."""
    body = f"99900019400101{serial:03d}"
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, _WEIGHTS, strict=True)) % 11]


def doctor(serial: int, **other: str) -> dict[str, str]:
    return {
        "姓名": f"测试医师{serial}",
        "证件类型": "01",
        "证件号码": identity(serial),
        "执业证书编号": f"999000{serial:09d}",
        "执业医疗机构名称": "示例医院",
        "执业机构编号": HOSPITAL,
        **other,
    }


class DutyRig:
    """A folder, a clock that is set by hand, and the commands."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.folder = folder
        self.now = NOW_S
        self.config = str(folder / "liangding.toml")
        Path(self.config).write_text(config, "utf-8")
        self.entropy: Callable[[int], bytes] = os.urandom

    @property
    def store(self) -> Path:
        return self.folder / "var" / "liangding-codes.sqlite"

    def run(self, *arguments: str, code: int = 0) -> Result:
        outside = SimpleNamespace(now=lambda: self.now, entropy=self.entropy)
        result = CliRunner().invoke(codes, list(arguments), obj=outside)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, (result.stdout, result.stderr)
        return result

    def duty(self, command: str, *arguments: str, code: int = 0) -> Result:
        return self.run("duty", command, self.config, *arguments, code=code)

    def told(self, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.duty(command, *arguments, "--json", code=code).stdout)
        return found

    def form(self, rows: Sequence[dict[str, str]], name: str = "form.csv") -> str:
        text = io.StringIO()
        titles = list(dict.fromkeys(title for row in rows for title in row))
        writer = csv.DictWriter(text, titles, restval="")
        writer.writeheader()
        writer.writerows(rows)
        path = self.folder / name
        path.write_text(text.getvalue(), "utf-8")
        return str(path)

    def request(
        self, *rows: dict[str, str], owner: str = HOSPITAL, system: str = "doctor", **options: Any
    ) -> list[int]:
        """File rows; return the entries' numbers."""
        code = options.pop("code", 0)
        extra = [word for name, value in options.items() for word in (f"--{name}", value)]
        told = self.told("request", owner, system, self.form(rows), "--maker", "申报人", *extra, code=code)
        return list(told["entries"])

    def review(self, *entries: str, reviewer: str = "审核人", code: int = 0) -> dict[str, Any]:
        seen = self.told("review", *entries, "--reviewer", reviewer)["accept"]
        return self.told("review", *entries, "--reviewer", reviewer, "--accept", seen, code=code)

    def assign(self, *entries: str, operator: str = "审核人") -> list[str]:
        seen = self.told("assign", *entries)["accept"]
        given = self.told("assign", *entries, "--operator", operator, "--accept", seen)["codes"]
        return [one["code"] for one in given]

    def export(self, name: str = "window.csv", system: str = "doctor") -> tuple[int, list[list[str]]]:
        out = self.folder / name
        number = self.told("export", system, "--operator", "上报人", "--out", str(out))["export"]
        return number, list(csv.reader(io.StringIO(out.read_text("utf-8-sig"))))

    def states(self) -> list[str]:
        return [one["state"] for one in self.told("list")["entries"]]
