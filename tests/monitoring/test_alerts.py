"""The alerting rules: promtool runs their unit tests, and every metric they name is one the product has."""

import re
import subprocess
from pathlib import Path

from monitoring.families import FAMILIES

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "monitoring" / "alerts" / "liangding.yml"
CASES = HERE / "alerts_test.yml"
DAYS = HERE / "alerts_days_test.yml"  # every quarter of a minute for days would take half a minute


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=110, cwd=HERE)


def alerts_in(text: str) -> set[str]:
    return set(re.findall(r"(?:alert:|alertname:) (\w+)", text))


def test_the_rules_are_well_formed() -> None:
    told = promtool("check", "rules", str(RULES))
    assert told.returncode == 0, told.stderr


def test_the_rules_do_what_their_cases_say() -> None:
    told = promtool("test", "rules", CASES.name, DAYS.name)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_rule_that_never_fires_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "dead.yml").write_text(RULES.read_text().replace("liangding_breaker_state == 2", "vector(0) == 1"))
    cases = CASES.read_text().replace("../../monitoring/alerts/liangding.yml", "dead.yml")
    (tmp_path / "cases.yml").write_text(cases)
    told = promtool("test", "rules", str(tmp_path / "cases.yml"))
    assert told.returncode != 0
    assert "LiangdingBreakerOpen" in told.stdout + told.stderr


def test_every_rule_has_a_case() -> None:
    assert alerts_in(RULES.read_text()) == alerts_in(CASES.read_text() + DAYS.read_text())


def test_every_metric_of_the_rules_is_one_of_ours() -> None:
    named = set(re.findall(r"\bliangding_[a-z_]+", "\n".join(expressions(RULES.read_text()))))
    assert {name.removesuffix("_bucket") for name in named} <= set(FAMILIES)
    assert len(named) >= 8


def expressions(text: str) -> list[str]:
    """The expr of every rule: on its line, or the indented block below it."""
    return re.findall(r"^ {8}expr: (.*(?:\n {10,}.*)*)", text, re.MULTILINE)


def test_every_rule_says_in_chinese_what_to_do() -> None:
    text = RULES.read_text()
    for word in ("summary", "action"):
        sentences = re.findall(rf'{word}: "(.*)"', text)
        assert len(sentences) == len(alerts_in(text))
        assert all(re.search(r"[\u4e00-\u9fff]{4}", one) for one in sentences)


def test_what_to_do_about_every_alert_is_written() -> None:
    text = (HERE.parents[1] / "docs" / "operating.md").read_text("utf-8")
    named = {name for row in re.findall(r"^\| ([A-Za-z、]+) \| ", text, re.M) for name in row.split("、")}
    assert alerts_in(RULES.read_text("utf-8")) <= {f"Liangding{name}" for name in named}
