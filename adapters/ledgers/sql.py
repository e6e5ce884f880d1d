"""The statements of both ledger engines, made from the words of `gateway.core.ledgers`; no value of a file enters one.

Table `ledger_rows` holds what `Row` says, cell by cell: `t_*` texts (NULL = says nothing), `a_*` fen. `k` is the key a
row is matched by, and its setl_id where it is `named` (has one): the longest column is not kept twice. What the two
engines say differently is in `Dialect`; everything else is the same text for both (decision 0013).
"""

from collections.abc import Mapping, Sequence

import attrs

from gateway.core.ledgers import (
    AGY,
    AMOUNT,
    BLANKS,
    CELL_CHARACTERS_MAX,
    COMPONENTS,
    GW,
    INS,
    INST,
    OTHERS_STATUSES,
    PROV,
    STATUSES,
    TEXTS,
)


@attrs.frozen(kw_only=True)
class Dialect:
    """What only one engine understands. text: its kind; trim: {cell} without BLANKS around it; fits: the whole {cell}
    is of {pattern}; days: from {start} to {end}; bit: of a ledger, for sets; digest: a number for a text, where
    grouping by it costs less than by the text; total: a sum that never overflows.
    """

    text: str
    trim: str
    fits: str
    days: str
    bit: str
    digest: str
    total: str


DUCKDB = Dialect(
    text="VARCHAR",
    # Its own `trim` takes all of BLANKS but TAB, letter by letter; one with a list takes eight times as long.
    # Most cells are ASCII without a blank at either end, which is seen at a glance.
    trim="CASE WHEN {cell} >= '!' AND NOT suffix({cell}, ' ') AND strlen({cell}) = length({cell}) "
    "AND NOT contains({cell}, '\t') THEN {cell} "
    f"WHEN contains({{cell}}, '\t') THEN trim({{cell}}, '{BLANKS}') ELSE trim({{cell}}) END",
    fits="regexp_full_match({cell}, '{pattern}')",
    days="date_diff('day', {start}, {end})",
    bit="1::UTINYINT << ledger::UTINYINT",
    digest="md5_number({name})",
    total="sum({name})",
)
SPARK = Dialect(
    text="STRING",
    trim=f"trim(BOTH '{BLANKS}' FROM {{cell}})",
    fits=r"regexp_like({cell}, r'^(?:{pattern})\z')",
    days="date_diff({end}, {start})",
    bit="shiftleft(1, CAST(ledger AS INT))",
    digest="{name}",
    total="sum(CAST({name} AS DECIMAL(38, 0)))",
)

_TEXTS = TEXTS[1:]  # without setl_id
# The table and its kinds, in the order in which `loaded` gives a record.
ROW_COLUMNS: Mapping[str, str] = {
    "ledger": "TINYINT", "k": "VARCHAR", "named": "BOOLEAN", **{f"t_{name}": "VARCHAR" for name in _TEXTS},
    "direction": "TINYINT", "status": "TINYINT", "delivered": "TINYINT", "day": "INTEGER", "second": "INTEGER",
    **{f"a_{name}": "BIGINT" for name in COMPONENTS}, "bad": "BOOLEAN",
}  # fmt: skip
# The tables of a run by name.
COLUMNS = {
    "ledger_rows": ", ".join(f"{name} {kind}" for name, kind in ROW_COLUMNS.items()),
    "judged": "k VARCHAR, plain BOOLEAN, skewed BOOLEAN", "odd": "k VARCHAR", "linked": "k VARCHAR, root VARCHAR",
    "depended": "k VARCHAR", "ambiguous": "k VARCHAR",
}  # fmt: skip
# In the order of `Row`, behind the cluster and the marks of B8 and B14; amounts last, one by one.
_ROW = (
    "ledger, k, CASE WHEN named THEN k ELSE '' END, " + ", ".join(f"coalesce(t_{name}, '')" for name in _TEXTS)
    + ", direction, status, delivered, day, second, " + ", ".join(f"a_{name}" for name in COMPONENTS)
)  # fmt: skip
_WHEN = "[0-9]{4}-[0-9]{2}-[0-9]{2}( ([01][0-9]|2[0-3])(:[0-5][0-9]){2})?"
_MOMENT = "(CAST(day AS BIGINT) * 86400 + coalesce(second, 0))"
# A key that is no setl_id starts with a blank, as no trimmed cell does.
LOOSE = "coalesce(' m:' || t_fixmedins_code || '|' || t_msgid, ' p:' || t_prov_sn)"
_BUFFER = 8 << 20  # a file of one buffer is read by one thread
ROW_NUMBER = "file_row_number"
# What two ledgers compare, and what finds a key that needs more than a glance.
COMPARED = (
    "t_fixmedins_code",
    "t_msgid",
    "t_psn_no",
    "t_insutype",
    "t_clr_type",
    *(f"a_{name}" for name in COMPONENTS),
)


def csv_source(path: str, header: Sequence[str]) -> str:
    """Read a CSV with nothing left to guess: columns in the file's own order, for the engine ignores header names."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
    return (
        f"read_csv({_quoted(path)}, auto_detect = false, header = true, columns = {{{columns}}}, delim = ',', "
        "quote = '\"', escape = '\"', strict_mode = true, null_padding = false, ignore_errors = false, "
        "compression = 'none', encoding = 'utf-8', nullstr = ['', 'null'], "
        f"max_line_size = {1 << 17}, buffer_size = {_BUFFER})"
    )


def parquet_source(path: str) -> str:
    """Read a Parquet file; ROW_NUMBER is a column beside its own."""
    return f"read_parquet({_quoted(path)}, {ROW_NUMBER} = true)"


def cleaned(cell: str, dialect: Dialect) -> str:
    """Return what `gateway.core.ledgers.clean` makes of a cell, NULL where it says nothing. cell: an expression."""
    return f"nullif(nullif({dialect.trim.format(cell=cell)}, ''), 'null')"


def said(source: str, header: Sequence[str], dialect: Dialect) -> str:
    """Return a source of trimmed texts that are NULL where they say nothing."""
    cells = (f"{cleaned(f'CAST({name} AS {dialect.text})', dialect)} AS {name}" for name in header)
    return f"(SELECT {', '.join(cells)} FROM {source})"


def _quoted(path: str) -> str:
    """Return a path of ours as a literal: the user's part of it is the output folder. A glob in it finds nothing."""
    return "'" + path.replace("'", "''") + "'"


def loaded(source: str, header: Sequence[str], ledger: int, date: str, dialect: Dialect) -> str:
    """Return the statement that gives a file's records in the columns of the table.

    source: the cells as texts, NULL for '' and `null`. Only texts are trimmed here: it costs the most of all, and a
    padded number does not fit its form, so it is read again by hand. What is marked `bad` is looked for again by line.
    """
    carried = set(header)
    cells = [f"{cleaned(name, dialect)} AS {name}" if name in TEXTS else name for name in header]
    if "setl_time" in carried:
        cells.append("TRY_CAST(setl_time AS TIMESTAMP) AS moment")
    columns = _columns(carried, ledger, date, dialect)
    # The order of the columns is the order of the table.
    told = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    return f"SELECT {told} FROM (SELECT {', '.join(cells)} FROM {source})"


def _columns(carried: set[str], ledger: int, date: str, dialect: Dialect) -> Mapping[str, str]:
    def cell(name: str) -> str:
        return name if name in carried else f"CAST(NULL AS {dialect.text})"

    statuses = " ".join(f"WHEN '{name}' THEN {number}" for number, name in enumerate(STATUSES))
    day, second = "0", "CAST(NULL AS INTEGER)"
    if "setl_time" in carried:
        days = dialect.days.format(start=f"DATE '{date}'", end="CAST(moment AS DATE)")
        day = f"coalesce({days}, 0)"
        clock = "hour(moment) * 3600 + minute(moment) * 60 + second(moment)"
        second = f"CASE WHEN length(setl_time) = 19 THEN {clock} END"
    return {
        "ledger": f"CAST({ledger} AS TINYINT)",
        "k": cell("setl_id"),
        "named": f"{cell('setl_id')} IS NOT NULL",
        **{f"t_{name}": cell(name) for name in _TEXTS},
        "direction": f"coalesce(TRY_CAST({cell('direction')} AS TINYINT), 0)",
        "status": f"CASE {cell('status')} {statuses} ELSE 0 END",
        "delivered": f"coalesce(TRY_CAST({cell('delivered')} AS TINYINT), 1)",
        "day": day,
        "second": second,
        **{
            f"a_{name}": f"CAST(TRY_CAST({name} AS DECIMAL(16, 2)) * 100 AS BIGINT)"
            if name in carried else "CAST(NULL AS BIGINT)"
            for name in COMPONENTS
        },
        "bad": _bad(carried, ledger, dialect),
    }  # fmt: skip


def _bad(carried: set[str], ledger: int, dialect: Dialect) -> str:
    """Return the condition under which a record is refused: the same rules as `row_faults`, without saying which."""
    fits = dialect.fits.format
    texts = [name for name in TEXTS if name in carried]
    rules = [f"NOT {fits(cell=name, pattern=AMOUNT)}" for name in COMPONENTS if name in carried]
    accepted = ", ".join(f"'{name}'" for name in (STATUSES if ledger == GW else OTHERS_STATUSES))
    for name, values in (("direction", "'0', '1'"), ("delivered", "'0', '1'"), ("status", accepted)):
        if name in carried:
            rules.append(f"{name} NOT IN ({values})")
    if "setl_time" in carried:
        no_day = "moment IS NULL AND setl_time IS NOT NULL OR setl_time < '0001'"  # both engines know a year 0
        rules.append(f"NOT {fits(cell='setl_time', pattern=_WHEN)} OR {no_day}")
    message = "msgid IS NULL OR fixmedins_code IS NULL" if {"msgid", "fixmedins_code"} <= carried else "true"
    missing = [f"{name} IS NULL" for name in ("setl_id", "prov_sn") if name in carried]
    rules.append(" AND ".join([*missing, f"({message})"]))
    rules += [f"length({name}) > {CELL_CHARACTERS_MAX}" for name in texts]
    return " OR ".join(f"coalesce({rule}, false)" for rule in rules)


# B14: a row without setl_id finds it by (institution, msgid), then by (prov_sn, mdtrt_id); else it is its own key.
# Each: (what finds the key, the condition under which it is a row's).
FOUND = (
    (
        """
        SELECT t_fixmedins_code AS f, t_msgid AS m, coalesce(min(k) FILTER (WHERE direction = 0), min(k)) AS k
        FROM ledger_rows WHERE named AND t_msgid IS NOT NULL GROUP BY t_fixmedins_code, t_msgid
        """,
        "ledger_rows.t_fixmedins_code = found.f AND ledger_rows.t_msgid = found.m",
    ),
    (
        """
        SELECT loose.p, loose.v, min(named.k) AS k FROM
            (SELECT DISTINCT t_prov_sn AS p, t_mdtrt_id AS v FROM ledger_rows WHERE k IS NULL) AS loose
            JOIN (SELECT DISTINCT t_prov_sn AS p, t_mdtrt_id AS v, k FROM ledger_rows WHERE named)
            AS named ON loose.p = named.p AND coalesce(loose.v = named.v, true)
        GROUP BY loose.p, loose.v
        """,
        "ledger_rows.t_prov_sn = found.p AND ledger_rows.t_mdtrt_id IS NOT DISTINCT FROM found.v",
    ),
)

# The same for an engine that changes rows in place.
RESOLVE = (
    *(
        f"UPDATE ledger_rows SET k = found.k FROM ({found}) AS found WHERE ledger_rows.k IS NULL AND {condition}"
        for found, condition in FOUND
    ),
    f"UPDATE ledger_rows SET k = {LOOSE} WHERE k IS NULL",
)

FILLED = (
    "SELECT ledger, count(*), " + ", ".join(f"count({name})" for name in COMPARED)
    + " FROM ledger_rows GROUP BY ledger"
)  # fmt: skip


def whole_and_part(counted: Sequence[Sequence[int]]) -> tuple[list[str], list[str]]:
    """Return the compared columns filled in every row of every ledger, and those in some. counted: found by FILLED."""
    rows = sum(line[1] for line in counted)
    filled = {name: sum(line[2 + at] for line in counted) for at, name in enumerate(COMPARED)}
    return [name for name, n in filled.items() if n == rows], [name for name, n in filled.items() if 0 < n < rows]


def judged(
    compared: tuple[Sequence[str], Sequence[str]], full: int, local: int, dialect: Dialect, where: str = ""
) -> str:
    """Return the statement for every key with a row of the day: whether all ledgers agree on it to the last cell that
    is compared, and whether its sender's clock is off (T6).

    compared: as `whole_and_part` says; full, local: bit sets of ledgers a key of a remote and of a local patient must
    have; where: keeps all rows of a key or none. A key called plain has no line; one that is not goes to the rules, so
    this may err on the other side only. Rows equal in all whole columns fall into one group; a key of two groups
    differs (grouping costs a twentieth of the least and greatest text of each column).
    """
    # Where cells are missing, the least must be the greatest of those that are there. Texts are compared by their MD5:
    # numbers are grouped far faster, and what this may miss is an attribute made to collide, never an amount.
    whole, part = compared
    values = [dialect.digest.format(name=name) if name.startswith("t_") else name for name in part]
    same = [f"min({value}) IS NOT DISTINCT FROM max({value})" for value in values]
    remote = "coalesce(bool_or(t_clr_pay_loc IN ('3', '4')), false)"
    have = f"bit_or({dialect.bit})"
    plain = [
        f"({have} = {full} OR ({have} = {local} AND NOT {remote}))", f"count(*) = bit_count({have})",
        "max(direction) = 0", "max(status) = 0", "min(day) = 0", "max(day) = 0", *same,
    ]  # fmt: skip
    agency = f"max(second) FILTER (WHERE ledger = {AGY})"
    others = [f"max(second) FILTER (WHERE ledger = {ledger})" for ledger in (INST, GW)]
    apart = [f"coalesce(abs({other} - {agency}) > 60, false)" for other in others]
    return f"""
        SELECT k, count(*) = 1 AND bool_and(plain) AS plain, bool_or(skewed) AS skewed FROM (
            SELECT k, {" AND ".join(plain)} AS plain, {" OR ".join(apart)} AS skewed, bool_or(day = 0) AS today
            FROM ledger_rows {where} GROUP BY {", ".join(("k", *whole))}
        ) GROUP BY k HAVING bool_or(today)
    """


# D3: keys one message produced; D4: keys of one business. Each line: (what they share, key).
DOUBLE_POSTS = """
    SELECT DISTINCT 'm' || coalesce(r.t_fixmedins_code, '') || '|' || r.t_msgid, r.k FROM ledger_rows AS r JOIN (
        SELECT t_fixmedins_code AS f, t_msgid AS m FROM ledger_rows
        WHERE direction = 0 AND named AND t_msgid IS NOT NULL
        GROUP BY t_fixmedins_code, t_msgid HAVING min(k) <> max(k)
    ) AS twice ON r.t_fixmedins_code IS NOT DISTINCT FROM twice.f AND r.t_msgid = twice.m
"""


def double_settlements(name: str) -> str:
    """Return the statement for one kind of business key. name: chrg_bchno or invono."""
    return f"""
        WITH visits AS (
            SELECT k, max(t_fixmedins_code) AS f, max(t_psn_no) AS p, max(t_mdtrt_id) AS v, max(t_{name}) AS b
            FROM ledger_rows GROUP BY k HAVING max(t_{name}) IS NOT NULL
        ), twice AS (
            SELECT f, p, v, b FROM visits WHERE f IS NOT NULL AND p IS NOT NULL AND v IS NOT NULL
            GROUP BY f, p, v, b HAVING count(*) > 1
        )
        SELECT '{name}|' || f || '|' || p || '|' || v || '|' || b, k FROM visits JOIN twice USING (f, p, v, b)
    """


LINKED_TO_ODD = "SELECT linked.k FROM linked LEFT JOIN odd ON linked.k = odd.k WHERE odd.k IS NULL"


def depended(names: Sequence[str]) -> str:
    """Return the statement for the keys the institution lacks and on which a later row of the same person or visit
    depends (B8).

    names: the columns that must be equal. Of each person the two last keys are enough: one of them is another one.
    """
    both = ", ".join(f"t_{name}" for name in names)
    there = " AND ".join(f"t_{name} IS NOT NULL" for name in names)
    return f"""
        WITH lacking AS (
            SELECT k, min({_MOMENT}) AS moment FROM ledger_rows JOIN odd USING (k)
            GROUP BY k HAVING bool_or(ledger = {GW}) AND NOT bool_or(ledger = {INST})
        ), asked AS (SELECT DISTINCT k, moment, {both} FROM lacking JOIN ledger_rows USING (k) WHERE {there}),
        each AS (
            SELECT {both}, k AS other, max({_MOMENT}) AS last
            FROM ledger_rows JOIN (SELECT DISTINCT {both} FROM asked) AS persons USING ({both}) GROUP BY {both}, k
        ), latest AS (
            SELECT {both}, other, last, row_number() OVER (PARTITION BY {both} ORDER BY last DESC, other) AS place
            FROM each
        )
        SELECT DISTINCT k FROM asked JOIN latest USING ({both}) WHERE place <= 2 AND other <> k AND last > moment
    """


# Keys that need the rules and whose serial, in a book that serials are taken back from, another key bears, too (B14).
AMBIGUOUS = f"""
    WITH asked AS (SELECT DISTINCT k, t_prov_sn FROM ledger_rows JOIN odd USING (k)
        WHERE ledger IN ({PROV}, {INS}) AND t_prov_sn IS NOT NULL
    ), shared AS (
        SELECT t_prov_sn FROM ledger_rows JOIN (SELECT DISTINCT t_prov_sn FROM asked) AS serials USING (t_prov_sn)
        GROUP BY t_prov_sn HAVING min(k) <> max(k)
    )
    SELECT DISTINCT k FROM asked JOIN shared USING (t_prov_sn)
"""
CLUSTERS = f"""
    SELECT coalesce(root, k) AS cluster, coalesce(marked, false) AS marked, coalesce(twofold, false) AS twofold, {_ROW}
    FROM ledger_rows JOIN odd USING (k) LEFT JOIN linked USING (k)
    LEFT JOIN (SELECT DISTINCT k, true AS marked FROM depended) AS marks USING (k)
    LEFT JOIN (SELECT k, true AS twofold FROM ambiguous) AS serials USING (k) ORDER BY 1, k
"""
AMOUNTS_AT = 3 + 2 + len(TEXTS) + 5  # cluster, marks; ledger, k; texts; direction .. second


def sums(dialect: Dialect) -> str:
    """Return the statement for what the rows of the day sum up to, ledger by ledger."""
    totals = ", ".join(dialect.total.format(name=f"a_{name}") for name in COMPONENTS)
    return f"SELECT ledger, {totals} FROM ledger_rows WHERE day = 0 GROUP BY ledger ORDER BY ledger"
