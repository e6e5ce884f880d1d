"""Messages made from the catalogue's own facts: a valid minimal one, a valid full one, and what may be done to them.

The dice are counted hashes: the same seed gives the same message on every machine.
"""

import gc
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import schemas
from gateway.core.catalogue import Field, Files, Node, Region, Transaction, decode_files
from gateway.core.checks import LOCAL_ITEM, SERVICE_DAY, Work, examine
from gateway.core.codes import SLOTS, Libraries, Row, Snapshot, build_snapshot
from gateway.core.jsontext import Raw
from gateway.core.regions import build_region
from gateway.core.sums import total_nodes

T = TypeVar("T")
Tree = dict[str, Any]

INSTITUTION = "H43010000001"
TODAY = "2024-01-05"


@cache
def files() -> Files:
    return decode_files(
        schemas.read("transactions", ".json"),
        schemas.read("dictionaries", ".json"),
        schemas.read("regions", ".toml"),
        schemas.read("code_systems", ".json"),
        (schemas.ROOT / "envelope.json").read_bytes(),
        schemas.read("registers", ".json"),
    )


@cache
def region(name: str) -> Region:
    found = build_region(files(), name)
    gc.freeze()  # tests/conftest.py collects after every test, and need not walk through the catalogue
    return found


# --- codes: L1 is mapped, L2 in two periods, L3 to two targets, L4 no longer; N1 and N2 are national ---------

# Institutions are not mapped here: their own code would have to be the national one wherever it stands.
SYSTEMS = sorted({system for slot, systems in SLOTS.items() if slot != "institution" for system in systems})
FORMS = {system: re.compile(r"N[0-9]+", re.ASCII) for system in SYSTEMS}
ROWS = [
    row
    for system in [*SYSTEMS, "dictionary:med_type", "dictionary:gend"]
    for row in (
        Row(system, "L1", "N1", "2020-01-01", "", "v1"),
        Row(system, "L2", "N1", "", "2023-12-31", "v1"),
        Row(system, "L2", "N2", "2024-01-01", "", "v2"),
        Row(system, "L3", "N1", "", "", "v1"),
        Row(system, "L3", "N2", "", "", "v1"),
        Row(system, "L4", "N1", "", "2023-12-31", "v1"),
    )
]
LIBRARIES = Libraries(
    {
        "diagnosis": {"N1": ("国家诊断一", "2000-01-01", "9999-12-31"), "N2": ("国家诊断二", "2000-01-01", "")},
        "operation": {
            "N1": ("国家手术一", "2000-01-01", "9999-12-31"),
            "N2": ("国家手术二", "2000-01-01", "2023-12-31"),
        },
    },
    FORMS,
)


@cache
def mapped() -> Snapshot:
    return build_snapshot(ROWS, LIBRARIES)


@cache
def unmapped() -> Snapshot:
    """No mapping at all: what is national passes, and nothing else."""
    return build_snapshot((), Libraries({}, FORMS))


def work(snapshot: Snapshot | None = None, names: bool = True) -> Work:
    return Work(snapshot or mapped(), "2026-01-01", INSTITUTION, names=names)


# --- valid messages ------------------------------------------------------------------------------------------


def envelope(infno: str, message: Any) -> Tree:
    return {
        "infno": infno,
        "msgid": "H43010000001202401050920000007",
        "mdtrtarea_admvs": "430100",
        "insuplc_admdvs": "",
        "recer_sys_code": "99",
        "dev_no": "",
        "dev_safe_info": None,
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "OP0001",
        "opter_name": "测试员",
        "inf_time": f"{TODAY} 08:30:00",
        "fixmedins_code": INSTITUTION,
        "fixmedins_name": "测试医院",
        "sign_no": "",
        "input": message,
    }


def valid(place: Region, transaction: Transaction, full: bool, code: str = "L1") -> Tree:
    """Return a message that breaks no rule; full: with every field, else only with those that must be there."""
    message: Tree = {}
    if transaction.root is not None:
        message |= row_of(place, transaction.root, full, code)
    for node in transaction.nodes:
        if full or node.required:
            message[node.name] = _holding(place, node, full, code)
    if not message and transaction.nodes:
        node = transaction.nodes[0]
        message[node.name] = _holding(place, node, full, code)
    _balance(transaction, message)
    if not transaction.may_name_others:
        _own(message)
    return envelope(transaction.infno, message)


def message_of(place: Region, infno: str, full: bool = True, code: str = "L1") -> Tree:
    return valid(place, place.transactions[infno], full, code)


def row_of(place: Region, node: Node, full: bool, code: str) -> Tree:
    row: Tree = {field.name: value_of(place, field, full, code) for field in node.fields if full or field.required}
    for field in node.fields:
        when = field.when
        if when is not None and (row.get(when.field) in when.equals or (when.present and row.get(when.field))):
            row[field.name] = value_of(place, field, full, code)
    if node.line_sum and all(node.field(name) for name in ("pric", "cnt", "det_item_fee_sumamt")):
        text = node.field("pric").kind == "text"  # type: ignore[union-attr]  # asked for a line above
        row |= {"pric": number("2.500", text), "cnt": number("2.00", text), "det_item_fee_sumamt": number("5.00", text)}
    return row


def number(text: str, as_text: bool = False) -> Any:
    return text if as_text else Raw(text.encode())


def value_of(place: Region, field: Field, full: bool, code: str) -> Any:
    if field.child is not None:
        return _holding(place, field.child, full, code)
    if field.kind == "number":
        # Zero keeps every identity between amounts; the text is one that a float would not keep.
        return Raw(b"0.0") if field.decimals and full else 0
    if field.kind in ("date", "datetime"):
        moment = field.format == "yyyy-MM-dd HH:mm:ss" or (field.kind == "datetime" and not field.format)
        return f"{TODAY} 09:10:00" if moment else TODAY
    if field.kind == "list":
        return []
    if field.kind == "object":
        return {}
    if field.system in SLOTS or field.system == LOCAL_ITEM:
        return code
    if field.name in SERVICE_DAY:
        return f"{TODAY} 09:10:00"  # a text in some transactions, but a date of service all the same
    if field.known:
        return min(field.known - {"03"})
    return "测"


def _holding(place: Region, node: Node, full: bool, code: str) -> Any:
    row = row_of(place, node, full, code)
    return [row, row_of(place, node, full, code)] if node.repeated == "many" else row


def _balance(transaction: Transaction, message: Tree) -> None:
    totals = total_nodes(transaction)
    if totals is not None and totals[0].name in message and totals[1].name in message:
        lines = len(message[totals[1].name])
        message[totals[0].name]["medfee_sumamt"] = Raw(f"{lines * 5}.00".encode())


def _own(tree: Any) -> None:
    """Put the institution's own code wherever one stands."""
    for row in rows_of(tree):
        if "fixmedins_code" in row:
            row["fixmedins_code"] = INSTITUTION


def rows_of(tree: Any) -> Iterator[Tree]:
    if type(tree) is dict:
        yield tree
        for value in list(tree.values()):
            yield from rows_of(value)
    elif type(tree) is list:
        for value in tree:
            yield from rows_of(value)


def copy_of(tree: Any) -> Any:
    """Return a deep copy (Raw cannot be copied, and need not be)."""
    if type(tree) is dict:
        return {name: copy_of(value) for name, value in tree.items()}
    if type(tree) is list:
        return [copy_of(value) for value in tree]
    return tree


# --- messages of region national, and what the walk says of them ---------------------------------------------

HERE = region("national")


def message(infno: str, full: bool = True, code: str = "L1") -> Tree:
    return message_of(HERE, infno, full, code)


def settled(**values: Any) -> Tree:
    """Return a valid outpatient settlement with these values in its data."""
    tree = message("2207")
    tree["input"]["data"] |= values
    return tree


def lines(*changes: Tree) -> Tree:
    """Return valid fee details, one row per change."""
    tree = message("2204")
    row = tree["input"]["feedetail"][0]
    tree["input"]["feedetail"] = [{**copy_of(row), **change} for change in changes]
    return tree


def walked(tree: Tree, snapshot: Snapshot | None = None, names: bool = True) -> Work:
    return examine(HERE, HERE.transactions[tree["infno"]], tree, work(snapshot, names))


def complaints(tree: Tree, snapshot: Snapshot | None = None) -> list[tuple[str, str, str]]:
    """Return (path, rule, words) of each."""
    return [(c.path, c.rule, c.message) for c in walked(tree, snapshot).complaints]


# --- what may be done to them --------------------------------------------------------------------------------


class Dice:
    """Chance from a seed and a counter."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def below(self, limit: int) -> int:
        self._count += 1
        packed = hashlib.blake2b(f"{self._seed}|{self._count}".encode(), digest_size=8).digest()
        return int.from_bytes(packed) % limit

    def pick(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]


ODD: tuple[Any, ...] = (
    None, None, "", "", " ", "　", 0, 1, -1, True, False, [], {}, ["x"], [[]], {"a": 1}, [{}], "0", "甲", "x" * 300,
    "x" * 5000, "2", "03", "01", Raw(b"0.0"), Raw(b"-0.0"), Raw(b"1e5"), 10**20,
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    "1e3", "+1", ".5", "5.", "1,000.00", "NaN", "Infinity", "１２", "-0", "-0.00", "0.0", "00012.30", " 1", "1\n",
    "1_0", "9" * 40, "9" * 5000, "0" * 5000 + "1", "1.123456789", "5.00", "2.50", 5, -2, 10**14, 10**15,
    Raw(b"1.5E1"), Raw(b"0.0000001"), Raw(b"99999999999999.99"), Raw(b"2.499"), Raw(b"2.505"), Raw(b"5.01"),
    Raw(b"5.02"), Raw(b"-5.00"),
)  # fmt: skip
DATES = (
    "2024-02-29", "2023-02-29", "2024-01-05 09:10:00", "2024-01-05", "2024-01-05 24:00:00", "2024-1-5", "20240105",
    "2024-01-05T09:10:00", "2024-01-05 09:10", "２０２４-01-05", "2024-01-05 9:10:00 ", "2023-06-01 00:00:00",
    "0000-00-00", "2023-06-01",
)  # fmt: skip
CODES = ("L1", "L1", "L2", "L3", "L4", "N1", "N2", "N999", "nonsense", "L1 ", "", " ", None)
AMOUNTS = (
    "medfee_sumamt", "fund_pay_sumamt", "psn_part_amt", "hosp_part_amt", "acct_pay", "psn_cash_pay", "hifp_pay", "pric",
    "cnt", "det_item_fee_sumamt",
)  # fmt: skip


def disturb(dice: Dice, place: Region, transaction: Transaction, tree: Tree) -> None:
    """Do one thing to a message, in place; most are faults, some are allowed."""
    kind = dice.below(16)
    if kind == 0:
        _to_envelope(dice, place, tree)
    elif kind == 1:
        _to_input(dice, transaction, tree)
    elif kind == 2:
        _to_shape(dice, tree)
    else:
        rows = [row for row in rows_of(tree["input"]) if row]
        if rows:
            _to_row(dice, kind, transaction, dice.pick(rows))


def _to_envelope(dice: Dice, place: Region, tree: Tree) -> None:
    field = dice.pick([field for field in place.envelope.fields if field.name != "input"])
    values = (*ODD, *DATES) if field.kind == "datetime" else (*ODD, "1", "2", "x" * (field.length + 1))
    tree[field.name] = dice.pick(values)
    if dice.below(4) == 0:
        tree["fixmedins_soft_fcty"] = dice.pick(ODD)


def _to_input(dice: Dice, transaction: Transaction, tree: Tree) -> None:
    message = tree["input"]
    if type(message) is not dict or dice.below(6) == 0:
        tree["input"] = dice.pick((None, [], "", {}, {"nothing": {}}, {"nothing": [], "fixmedins_code": INSTITUTION}))
    elif dice.below(2):
        message[dice.pick(("fixmedins_code", "unknown_node"))] = dice.pick((*ODD, INSTITUTION, "P99999999999", "plc"))
    else:
        names = [node.name for node in transaction.nodes] or ["data"]
        message[dice.pick(names)] = dice.pick((*ODD, [{}, {}], [1], [None]))


def _to_shape(dice: Dice, tree: Tree) -> None:
    """Objects become lists and lists objects, rows are taken away or doubled."""
    holders = [
        (row, name) for row in rows_of(tree["input"]) for name, value in row.items() if type(value) in (dict, list)
    ]
    if not holders:
        return
    row, name = dice.pick(holders)
    value = row[name]
    if type(value) is dict:
        row[name] = [value]
    elif dice.below(2) and value:
        row[name] = value[0]
    else:
        row[name] = value * dice.pick((0, 2, 20))


def _to_row(dice: Dice, kind: int, transaction: Transaction, row: Tree) -> None:
    name = dice.pick(list(row))
    field = field_of(transaction, name)
    if kind == 3:
        del row[name]
    elif kind == 4:
        row[name] = dice.pick(ODD)
    elif kind == 5:
        row[dice.pick(("unknown_field", "fixmedins_code", "diag_name", "oprn_oprt_name"))] = dice.pick(
            (*ODD, INSTITUTION)
        )
    elif kind == 6:
        row[dice.pick(AMOUNTS)] = dice.pick(NUMBERS)
    elif kind == 7 and "diag_type" in row:
        row["diag_type"] = dice.pick(("1", "2", "3", [], {}, None))
    elif kind == 8 and field is not None and field.length:
        row[name] = "测" * (field.length + dice.below(2))
    else:
        _by_kind(dice, row, name, field)


def _by_kind(dice: Dice, row: Tree, name: str, field: Field | None) -> None:
    coded = [name for name in row if name.lower().endswith(("codg", "code", "_no"))]
    if field is not None and field.kind == "number":
        row[name] = dice.pick(NUMBERS)
    elif field is not None and field.kind in ("date", "datetime"):
        row[name] = dice.pick(DATES)
    elif field is not None and field.known and dice.below(2):
        row[name] = dice.pick((*sorted(field.known)[:4], "ZZ", "L1", "01", "1"))
    elif coded:
        row[dice.pick(coded)] = dice.pick(CODES)
    else:
        row[name] = dice.pick(CODES)


def field_of(transaction: Transaction, name: str) -> Field | None:
    """Return a field of that name, in whatever node."""
    todo: list[Node] = [*transaction.nodes, *((transaction.root,) if transaction.root is not None else ())]
    while todo:
        node = todo.pop()
        for field in node.fields:
            if field.name == name:
                return field
            if field.child is not None:
                todo.append(field.child)
    return None
