"""Real processes, and a journal that is put back from a backup: the platform is asked before money is taken (§9)."""

import json
import random  # noqa: TID251  # chance of a test
import shutil
import signal

import pytest
from real_processes import fetch
from tills import Rush, Till, import_mappings, prepared
from town import Town


def stopped(town: Town) -> None:
    gateway = town.running[-1]
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(60) == 0


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_a_backup_that_is_put_back_settles_nothing_twice(town: Town) -> None:
    dice = random.Random(7)
    town.start_platform()
    import_mappings(town)
    town.start_gateway()
    payments = prepared(town, dice, 48)
    journal = town.folder / "node" / "liangding.sqlite"
    Rush(town, dice, payments[:24]).run(lambda: None)
    stopped(town)
    shutil.copy(journal, town.folder / "backup")
    town.start_gateway()
    Rush(town, dice, payments[24:]).run(lambda: None)
    stopped(town)
    booked = town.platform("ledger")["rows"]

    shutil.copy(town.folder / "backup", journal)
    town.start_gateway()  # answers /readyz only when everything was asked about
    assert fetch(f"http://127.0.0.1:{town.admin_port}/readyz")[0] == 200
    assert "没有列出的没有问过" in (town.folder / f"gateway-{len(town.running) - 1}.log").read_text("utf-8")
    asked = json.loads(town.tool("gateway", "journal", "recovered", str(town.config), "--json"))["rows"]
    assert sum(row["rows"] for row in asked) == 24
    assert all(row["groups"] and not row["without_msgid"] for row in asked)
    known = {row["msgid"]: row["state"] for row in town.journal()}
    lost = [one for payment in payments[24:] for one in payment.tries]
    assert [known.get(one.msgid) for one in lost] == ["EXTERNAL"] * len(lost)
    till = Till(town.port)
    for payment in payments:
        (one,) = payment.tries
        told = till.post(payment.path, one.body)
        assert (told.envelope or {}).get("gw_code", "") == ("" if known[one.msgid] == "ACKED" else "GW-MANUAL")
    till.close()
    assert town.platform("ledger")["rows"] == booked
    stopped(town)
    town.start_gateway()  # it is over: nothing is asked a second time
    assert "recovery" not in (town.folder / f"gateway-{len(town.running) - 1}.log").read_text("utf-8")
