"""The example exchanges of the specification (tests/golden/examples): every request passes, every answer adds up."""

import re
from pathlib import Path
from typing import Any

import pytest
from messages import INSTITUTION, envelope, files, region, work

from gateway.core.backward import compile_backward, translate_back
from gateway.core.checks import examine
from gateway.core.codes import EMPTY_SNAPSHOT, Libraries, Snapshot, build_snapshot
from gateway.core.jsontext import decode, encode, plain, shape_complaint, skeleton
from gateway.core.plan import compile_plan
from gateway.core.sums import broken_identities

FOLDER = Path(__file__).parents[1] / "golden" / "examples"
FILES = sorted(FOLDER.glob("*.json"))
REQUESTS = [path for path in FILES if path.stem.endswith(("-input", "-request"))]
ANSWERS = [path for path in FILES if path.stem.endswith(("-output", "-answer"))]
# Some regions ask for fields the national examples do not carry.
REGIONS = ("national", "shenzhen", "inner_mongolia")


def national_codes() -> Snapshot:
    """No mapping, no library: what has national form passes."""
    forms = {spec.id: re.compile(spec.regex) for spec in files().code_systems.values()}
    return build_snapshot((), Libraries({}, forms))


def test_the_examples_are_there() -> None:
    assert len(REQUESTS) >= 13
    assert len(ANSWERS) >= 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_json_of_ours_and_keeps_every_text(path: Path) -> None:
    raw = path.read_bytes().strip()
    tree = decode(raw)
    assert shape_complaint(raw, tree) == ""
    assert encode(tree).replace(b" ", b"") == raw.replace(b" ", b"")


def request_of(path: Path) -> dict[str, Any]:
    infno = path.stem.split("-")[1]
    tree: dict[str, Any] = decode(path.read_bytes())
    if path.stem.endswith("-request"):
        return tree
    found = envelope(infno, tree)
    found["infno"] = infno
    return found


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", REGIONS)
def test_an_example_request_passes(path: Path, name: str) -> None:
    here = region(name)
    raw = encode(request_of(path))
    tree = decode(raw)
    transaction = here.transactions[tree["infno"]]
    slow = examine(here, transaction, decode(raw), work(national_codes()))
    assert (slow.complaints, slow.foreign) == ([], False)
    fast = work(national_codes())
    keys = compile_plan(here, transaction).run(tree, fast)
    assert plain(skeleton(raw), keys)
    assert not fast.changed
    assert encode(tree) == raw
    assert tree["fixmedins_code"] == INSTITUTION


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_an_example_answer_adds_up_and_passes_unchanged(path: Path) -> None:
    here = region("national")
    infno = path.stem.split("-")[1]
    tree = decode(path.read_bytes())
    output = tree.get("output", tree) if path.stem.endswith("-answer") else tree
    for node in output.values():
        if type(node) is dict:
            assert list(broken_identities(here, node)) == []
    if infno in here.transactions:
        backward = compile_backward(here.transactions[infno])
        assert translate_back(backward, {"output": output}, EMPTY_SNAPSHOT, "2024-01-05", lambda slot, code: "") is None


def test_a_changed_example_would_be_noticed() -> None:
    """The identities of X38 hold in 2207 and its undo; a fen more is forgiven, two are not."""
    here = region("national")
    for name in ("06-2207-output", "07-2208-output"):
        row = decode((FOLDER / f"{name}.json").read_bytes())["setlinfo"]
        row["psn_cash_pay"] = row.pop("pdn_cash_pay", row.get("psn_cash_pay"))
        assert list(broken_identities(here, row)) == []
        sign = "-" if name.startswith("07") else ""
        row["hifp_pay"] = f"{sign}59.51"
        assert list(broken_identities(here, row)) == []
        row["hifp_pay"] = f"{sign}59.52"
        assert list(broken_identities(here, row)) == ["fund_pay_sumamt"]
        row["fund_pay_sumamt"] = f"{sign}59.52"
        assert list(broken_identities(here, row)) == ["medfee_sumamt"]
        row["acct_pay"] = None
        assert list(broken_identities(here, row)) == ["medfee_sumamt"]
