"""What the platform kept of a list (4103) against what was sent, by the delivered names."""

import copy
from typing import Any

import pytest
from listed import EXAMPLES, changed

from gateway.app.lists_rules import comparer, message_nodes, rule_set
from gateway.lists.readback import DIFFERENCES_MAX


def sent() -> dict[str, Any]:
    tree = changed(EXAMPLES["good"], {"setlinfo.vent_used_dura": "0/6/30", "setlinfo.nwb_adm_wt": "2150,2200"})
    nodes = message_nodes("4101", rule_set().nodes)[0]
    return {
        node: {k: v for k, v in rows.items() if k in nodes[node]} if type(rows) is dict
        else [{k: v for k, v in row.items() if k in nodes[node]} for row in rows]
        for node, rows in tree.items() if node in nodes and rows
    }  # fmt: skip


def kept() -> dict[str, Any]:
    """The answer of a platform that kept everything: other names, other ways of writing."""
    answer = copy.deepcopy(sent())
    head = answer["setlinfo"]
    head["adm_way_code"] = head.pop("adm_way")
    head.pop("vent_used_dura")
    head |= {"vent_used_days": "0", "vent_used_h_cnt": 6, "vent_used_m_cnt": "30", "nwb_adm_wt": "2150.00,2200"}
    head |= {"psn_name": "somebody", "stas_type": "2", "lv1_nurscare_days": head["lv1_nurscare_days"] + ".0"}
    answer["diseinfo"] = [{"setl_list_diag_id": "1", **row} for row in reversed(answer["diseinfo"])]
    return answer


def told(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in comparer().differences(sent(), answer)]


def test_what_was_kept_as_it_was_sent_is_the_same() -> None:
    assert told(kept()) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"setlinfo.adm_way_code": "9"}, [("setlinfo.adm_way", "所存与上传的不同")]),
        ({"setlinfo.vent_used_h_cnt": 7}, [("setlinfo.vent_used_dura", "所存与上传的不同")]),
        ({"setlinfo.medcasno": None}, [("setlinfo.medcasno", "没有这一项")]),
        ({"setlinfo.nwb_adm_wt": "2150"}, [("setlinfo.nwb_adm_wt", "所存与上传的不同")]),
        ({"diseinfo[0].adm_cond_type": "3"}, [("diseinfo[1].adm_cond_type", "所存与上传的不同")]),
        ({"payinfo[0].fund_payamt": "7600"}, []),
        ({"payinfo[0].fund_payamt": "7600.01"}, [("payinfo[0].fund_payamt", "所存与上传的不同")]),
        ({"oprninfo": []}, [("oprninfo", "平台有0条"), ("oprninfo[0]", "没有这一条")]),
        ({"setlinfo": None}, None),
    ],
)
def test_a_difference_names_the_place_in_what_was_sent(
    change: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    found = told(changed(kept(), change))
    if expected is None:
        assert len(found) > 20 and all(path.startswith("setlinfo.") for path, _ in found)
    else:
        assert [path for path, _ in found] == [path for path, _ in expected]
        assert all(text in message for (_, text), (_, message) in zip(expected, found, strict=True))


def test_records_beyond_what_was_sent_are_told() -> None:
    answer = kept()
    answer["diseinfo"].append({"diag_type": "1", "diag_code": "I10.x00"})
    assert told(answer) == [("diseinfo", f"上传{len(answer['diseinfo']) - 1}条，平台有{len(answer['diseinfo'])}条")]


def test_no_value_is_told_and_there_is_an_end() -> None:
    answer = changed(kept(), {"setlinfo.coner_name": "SECRET", "setlinfo.coner_tel": "13900000000"})
    found = told(answer)
    assert len(found) == 2 and "SECRET" not in str(found) and "139" not in str(found)
    many = changed(sent(), {"diseinfo": sent()["diseinfo"] * 500})
    assert len(comparer().differences(many, {})) == DIFFERENCES_MAX


def test_the_names_are_those_of_the_messages() -> None:
    names, nodes = comparer().names, rule_set().nodes
    for node, fields in names.fields.items():
        assert set(fields) <= comparer().there[node] and set(fields.values()) <= set(nodes[node])
    assert set(names.durations) <= set(nodes["setlinfo"])
    assert all(comparer().there["setlinfo"].issuperset(parts) for parts in names.durations.values())
