"""Deductions and appeals as a platform tells them (3701-3704): its documents read, its outcomes understood.

Numbers, fields and codes are the province's (schemas/books/clearing.toml). Nothing that identifies a person is read.
Source: reconciliation §3.3, §7.2.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs
import msgspec

from gateway.books.freezing import HELD, OWN, ledger_rows
from gateway.core.ledgers import SETTLED
from gateway.core.money import fen_of, yuan

APPEAL, REVIEW = "appeal", "review"


class BadAppeals(Exception):
    """What the platform tells cannot be used. str: Chinese."""


class Appeals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one region tells deductions and takes appeals; see schemas/books/clearing.toml."""

    query: str
    appeal: str
    review: str
    attach: str
    page_rows: int
    stage: str
    visit: str
    fund: str
    amount: str
    confirmed: str
    kind: str
    outcome: str
    appealed: str
    reviewed: str
    taken: str
    kinds: dict[str, str]
    outcomes: dict[str, str]


@attrs.frozen(kw_only=True)
class Suspect:
    """One finding of the audit. amount, confirmed: fen; outcome: '' or what became of an appeal."""

    deduction_id: str
    document: str
    visit: str
    amount: int
    kind: str
    reason_code: str
    reason: str
    dept: str
    doctor: str
    appealed: bool
    reviewed: bool
    outcome: str
    confirmed: int | None


def suspects_of(documents: Iterable[Mapping[str, Any]], names: Appeals) -> list[Suspect]:
    """Read the documents of 3701. Raises BadAppeals: one that cannot be understood refuses them all."""
    found: dict[str, Suspect] = {}
    for document in documents:
        for row in document.get("docSusptDTOS") or ():
            one = _suspect(document, row, names)
            if found.setdefault(one.deduction_id, one) != one:
                raise BadAppeals(f"疑点{one.deduction_id}有两份内容不同的记录，整份不采用")
    return list(found.values())


def _suspect(document: Mapping[str, Any], row: Mapping[str, Any], names: Appeals) -> Suspect:
    number, fen = str(row.get("docSusptId") or ""), fen_of(row.get(names.amount))
    kind = names.kinds.get(str(row.get(names.kind) or ""))
    said = str(row.get(names.outcome) or "")
    if not number or fen is None or kind is None or (said and said not in names.outcomes):
        raise BadAppeals(f"疑点{number or '没有编号'}的金额、扣款标志或处理结果不在对照表中，整份不采用")
    confirmed = fen_of(row.get(names.confirmed)) if row.get(names.confirmed) not in (None, "") else None
    return Suspect(
        deduction_id=number, document=str(document.get("docId") or ""), visit=str(document.get(names.visit) or ""),
        amount=int(fen), kind=kind, reason_code=str(row.get("ruleCode") or ""), reason=str(row.get("detRea") or ""),
        dept=str(document.get("dscgDeptCodg") or ""), doctor=str(document.get("drCode") or ""),
        appealed=str(row.get(names.appealed) or "") == "1", reviewed=str(row.get(names.reviewed) or "") == "1",
        outcome=names.outcomes[said] if said else "", confirmed=None if confirmed is None else int(confirmed),
    )  # fmt: skip


def settlements_by_visit(lines: Iterable[str], group: tuple[str, str, str, str]) -> dict[str, list[str]]:
    """Return visit -> setl_ids of frozen lines that count in a group (clr_type, insutype, clr_optins, clr_pay_loc)."""
    found: dict[str, list[str]] = {}
    for _, some in groupby(lines, key=lambda line: line.partition("\t")[0]):
        own = list(some)
        if any(line.split("\t", 2)[1] == HELD for line in own):
            continue
        rows = [row for row, _ in ledger_rows(own) if row.status == SETTLED and row.direction == 0]
        rows.sort(key=lambda row: OWN["L1"].index(row.ledger))
        texts = [
            next((text for row in rows if (text := str(getattr(row, name)))), "")
            for name in ("clr_type", "insutype", "clr_optins", "clr_pay_loc", "mdtrt_id", "setl_id")
        ]
        if tuple(texts[:4]) == group and texts[4] and texts[5]:
            found.setdefault(texts[4], []).append(texts[5])
    return found


def appeal_words(
    institution: tuple[str, str], document: str, deduction_id: str, fen: int, material: str, note: str
) -> dict[str, Any]:
    """Return what 3702 and 3703 say. institution: code, name."""
    suspect = {
        "docSusptId": deduction_id, "applyFlag": "1", "susptAmt": yuan(fen), "attUploadId": material,
        "auditOpinion": note,
    }  # fmt: skip
    return {
        "medinsCodg": institution[0], "medinsName": institution[1], "remark": "",
        "docs": [{"docId": document, "docSusptDTOS": [suspect]}],
    }  # fmt: skip


def refusal_of(results: Sequence[Mapping[str, Any]], deduction_id: str, names: Appeals) -> str | None:
    """Return why a finding was not taken, '' when it was, None when the answer does not speak of it."""
    for row in results:
        if str(row.get("susptId") or "") == deduction_id:
            taken = str(row.get("susptCode") or "") == names.taken
            return "" if taken else str(row.get("susptReason") or "平台没有说明原因")
    return None
