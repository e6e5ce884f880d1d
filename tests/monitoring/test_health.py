"""Health: a verdict, a status and Chinese reasons; a check that breaks is a check that failed."""

import json

from monitoring.health import Health


def fine() -> str:
    return ""


def test_all_is_well() -> None:
    verdict = Health(alive={"reactor": fine}, ready={"journal": fine}).readyz()
    assert (verdict.ok, verdict.status) == (True, 200)
    assert json.loads(verdict.body) == {"ok": True, "checks": {"reactor": True, "journal": True}, "reasons": []}


def test_every_failing_check_is_named_with_its_reason() -> None:
    health = Health(
        alive={"reactor": fine}, ready={"disk": lambda: "磁盘空间不足", "link": lambda: "链路熔断", "a": fine}
    )
    verdict = health.readyz()
    assert (verdict.ok, verdict.status) == (False, 503)
    told = json.loads(verdict.body)
    assert told["reasons"] == [{"check": "disk", "message": "磁盘空间不足"}, {"check": "link", "message": "链路熔断"}]
    assert told["checks"] == {"reactor": True, "disk": False, "link": False, "a": True}
    assert "磁盘空间不足".encode() in verdict.body


def test_not_ready_is_still_alive_but_not_alive_is_never_ready() -> None:
    unready = Health(alive={"reactor": fine}, ready={"journal": lambda: "日志库不可写"})
    assert unready.healthz().status == 200
    dead = Health(alive={"writer": lambda: "日志写入线程已停止"}, ready={"journal": fine})
    assert (dead.healthz().status, dead.readyz().status) == (503, 503)


def test_readiness_comes_back_by_itself() -> None:
    reasons = ["磁盘空间不足", ""]
    health = Health(alive={}, ready={"disk": lambda: reasons.pop(0)})
    assert [health.readyz().status, health.readyz().status] == [503, 200]


def test_a_check_that_breaks_counts_as_failed_and_tells_only_its_type() -> None:
    def broken() -> str:
        raise RuntimeError("psn_name=张三")

    verdict = Health(alive={}, ready={"journal": broken}).readyz()
    assert verdict.status == 503
    assert "RuntimeError" in verdict.reasons[0][1]
    assert "张三" not in verdict.body.decode()
