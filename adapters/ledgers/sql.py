"""The statements of the ledger engine, made from the words of `gateway.core.ledgers`; no value of a file enters one.

Table `ledger_rows` holds what `Row` says, cell by cell: `t_*` texts (NULL = says nothing), `a_*` fen. `k` is the key a
row is matched by, and its setl_id where it is `named` (has one): the longest column is not kept twice.
"""

from collections.abc import Sequence

from gateway.core.ledgers import (
    AGY,
    AMOUNT,
    CELL_CHARACTERS_MAX,
    COMPONENTS,
    GW,
    INST,
    OTHERS_STATUSES,
    STATUSES,
    TEXTS,
)

_TEXTS = TEXTS[1:]  # without setl_id
_TEXT_COLUMNS = ", ".join(f"t_{name} VARCHAR" for name in _TEXTS)
_AMOUNT_COLUMNS = ", ".join(f"a_{name} BIGINT" for name in COMPONENTS)
TABLE = (
    f"CREATE TABLE ledger_rows (ledger TINYINT, k VARCHAR, named BOOLEAN, {_TEXT_COLUMNS}, direction TINYINT, "
    f"status TINYINT, delivered TINYINT, day INTEGER, second INTEGER, {_AMOUNT_COLUMNS}, bad BOOLEAN)"
)
# In the order of `Row`, behind the cluster and the mark of B8; amounts last, one by one.
_ROW = (
    "ledger, k, CASE WHEN named THEN k ELSE '' END, " + ", ".join(f"coalesce(t_{name}, '')" for name in _TEXTS)
    + ", direction, status, delivered, day, second, " + ", ".join(f"a_{name}" for name in COMPONENTS)
)  # fmt: skip
_WHEN = "[0-9]{4}-[0-9]{2}-[0-9]{2}( ([01][0-9]|2[0-3])(:[0-5][0-9]){2})?"
MOMENT = "(day::BIGINT * 86400 + coalesce(second, 0))"
# A key that is no setl_id starts with a blank, as no trimmed cell does.
_LOOSE = "coalesce(' m:' || t_fixmedins_code || '|' || t_msgid, ' p:' || t_prov_sn)"
_BUFFER = 8 << 20  # a file of one buffer is read by one thread
ROW_NUMBER = "file_row_number"
# What two ledgers compare, and what finds a key that needs more than a glance.
COMPARED = ("t_msgid", "t_psn_no", "t_insutype", "t_clr_type", *(f"a_{name}" for name in COMPONENTS))


def csv_source(path: str, header: Sequence[str]) -> str:
    """Read a CSV with nothing left to guess: columns in the file's own order, for the engine ignores header names."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
    return (
        f"read_csv({_quoted(path)}, auto_detect = false, header = true, columns = {{{columns}}}, delim = ',', "
        "quote = '\"', escape = '\"', strict_mode = true, null_padding = false, ignore_errors = false, "
        f"compression = 'none', encoding = 'utf-8', max_line_size = {1 << 17}, buffer_size = {_BUFFER})"
    )


def parquet_source(path: str) -> str:
    """Read a Parquet file; ROW_NUMBER is a column beside its own."""
    return f"read_parquet({_quoted(path)}, {ROW_NUMBER} = true)"


def _quoted(path: str) -> str:
    """Return a path of ours as a literal: the user's part of it is the output folder. A glob in it finds nothing."""
    return "'" + path.replace("'", "''") + "'"


def load(source: str, header: Sequence[str], ledger: int, date: str) -> str:
    """Insert a file's records. What does not fit its form is marked `bad` and looked for again by line."""
    cells = ", ".join(f"{_cell(name)} AS {name}" for name in header)
    carried = set(header)

    def text(name: str) -> str:
        return name if name in carried else "NULL"

    texts = ", ".join(text(name) for name in _TEXTS)
    amounts = ", ".join(
        f"CAST(TRY_CAST({name} AS DECIMAL(16, 2)) * 100 AS BIGINT)" if name in carried else "NULL"
        for name in COMPONENTS
    )
    when = text("setl_time")
    status = ", ".join(f"'{name}'" for name in STATUSES)
    # The order of the columns is the order of the table.
    return (
        f"INSERT INTO ledger_rows SELECT {ledger}, {text('setl_id')}, {text('setl_id')} IS NOT NULL, {texts}, "
        f"coalesce(TRY_CAST({text('direction')} AS TINYINT), 0), "
        f"coalesce(list_position([{status}], {text('status')}) - 1, 0), "
        f"coalesce(TRY_CAST({text('delivered')} AS TINYINT), 1), "
        f"coalesce(date_diff('day', DATE '{date}', TRY_CAST(left({when}, 10) AS DATE)), 0), "
        f"CASE WHEN length({when}) = 19 THEN epoch(TRY_CAST(right({when}, 8) AS TIME))::INTEGER END, "
        f"{amounts}, {_bad(carried, ledger)} FROM (SELECT {cells} FROM {source})"
    )


def _cell(name: str) -> str:
    """Return a cell as it counts: without blanks, NULL for '' and `null`. Only texts are trimmed: it costs the most of
    all, and a padded number does not fit its form, is refused here and read again by hand."""
    value = f'"{name}"::VARCHAR'
    if name in TEXTS:
        value = f"trim({value})"
    return f"nullif(nullif({value}, ''), 'null')"


def _bad(carried: set[str], ledger: int) -> str:
    """Return the condition under which a record is refused: the same rules as `row_faults`, without saying which."""
    rules = [f"length({name}) > {CELL_CHARACTERS_MAX}" for name in TEXTS if name in carried]
    rules += [f"NOT regexp_full_match({name}, '{AMOUNT}')" for name in COMPONENTS if name in carried]
    accepted = ", ".join(f"'{name}'" for name in (STATUSES if ledger == GW else OTHERS_STATUSES))
    for name, values in (("direction", "'0', '1'"), ("delivered", "'0', '1'"), ("status", accepted)):
        if name in carried:
            rules.append(f"{name} NOT IN ({values})")
    if "setl_time" in carried:
        rules.append(f"NOT regexp_full_match(setl_time, '{_WHEN}') OR TRY_CAST(setl_time AS TIMESTAMP) IS NULL "
                     "AND setl_time IS NOT NULL")  # fmt: skip
    message = "msgid IS NULL OR fixmedins_code IS NULL" if {"msgid", "fixmedins_code"} <= carried else "true"
    missing = [f"{name} IS NULL" for name in ("setl_id", "prov_sn") if name in carried]
    rules.append(" AND ".join([*missing, f"({message})"]))
    return " OR ".join(f"coalesce({rule}, false)" for rule in rules)


# B14: a row without setl_id finds it by (institution, msgid), then by (prov_sn, mdtrt_id); else it is its own key.
RESOLVE = (
    """
    UPDATE ledger_rows SET k = found.k FROM (
        SELECT t_fixmedins_code AS f, t_msgid AS m, coalesce(min(k) FILTER (direction = 0), min(k)) AS k
        FROM ledger_rows WHERE named AND t_msgid IS NOT NULL GROUP BY ALL
    ) AS found
    WHERE ledger_rows.k IS NULL AND t_fixmedins_code = found.f AND t_msgid = found.m
    """,
    """
    UPDATE ledger_rows SET k = found.k FROM (
        SELECT loose.p, loose.v, min(named.k) AS k FROM
            (SELECT DISTINCT t_prov_sn AS p, t_mdtrt_id AS v FROM ledger_rows WHERE k IS NULL) AS loose
            JOIN (SELECT DISTINCT t_prov_sn AS p, t_mdtrt_id AS v, k FROM ledger_rows WHERE named)
            AS named ON loose.p = named.p AND coalesce(loose.v = named.v, true)
        GROUP BY ALL
    ) AS found
    WHERE ledger_rows.k IS NULL AND t_prov_sn = found.p AND t_mdtrt_id IS NOT DISTINCT FROM found.v
    """,
    f"UPDATE ledger_rows SET k = {_LOOSE} WHERE k IS NULL",
)

JUDGED = "CREATE TABLE judged (k VARCHAR, plain BOOLEAN, skewed BOOLEAN)"


def filled() -> str:
    """Return the statement that counts the rows of each ledger, and how many of them fill each compared column."""
    counts = ", ".join(f"count({name})" for name in COMPARED)
    return f"SELECT ledger, count(*), {counts} FROM ledger_rows GROUP BY ledger"


def judge(whole: Sequence[str], part: Sequence[str], full: int, local: int, bucket: int, buckets: int) -> str:
    """Insert every key with a row of the day, and whether all ledgers agree on it to the last cell that is compared.

    whole, part: compared columns that are filled in every row, and in some; full, local: bit sets of ledgers a key of
    a remote and of a local patient must have. A key called plain has no line; one that is not goes to the rules, so
    this may err on the other side only. Rows equal in all whole columns fall into one group; a key of two groups
    differs (grouping costs a twentieth of the least and greatest text of each column).
    """
    # Where cells are missing, the least must be the greatest of those that are there. Texts are compared by their MD5:
    # numbers are grouped far faster, and what this may miss is an attribute made to collide, never an amount.
    values = [f"md5_number({name})" if name.startswith("t_") else name for name in part]
    same = [f"min({value}) IS NOT DISTINCT FROM max({value})" for value in values]
    remote = "coalesce(bool_or(t_clr_pay_loc IN ('3', '4')), false)"
    have = "bit_or(1::UTINYINT << ledger::UTINYINT)"
    plain = [
        f"({have} = {full} OR ({have} = {local} AND NOT {remote}))", f"count(*) = bit_count({have})",
        "max(direction) = 0", "max(status) = 0", "min(day) = 0", "max(day) = 0", *same,
    ]  # fmt: skip
    agency = f"max(second) FILTER (ledger = {AGY})"
    apart = [f"coalesce(abs(max(second) FILTER (ledger = {ledger}) - {agency}) > 60, false)" for ledger in (INST, GW)]
    chosen = f"WHERE hash(k) % {buckets} = {bucket}" if buckets > 1 else ""
    return f"""
        INSERT INTO judged
        SELECT k, count(*) = 1 AND bool_and(plain), bool_or(skewed) FROM (
            SELECT k, {" AND ".join(plain)} AS plain, {" OR ".join(apart)} AS skewed, bool_or(day = 0) AS today
            FROM ledger_rows {chosen} GROUP BY {", ".join(("k", *whole))}
        ) GROUP BY k HAVING bool_or(today)
    """


# D3: keys one message produced; D4: keys of one business. Each line: (what they share, key).
DOUBLE_POSTS = """
    SELECT DISTINCT 'm' || coalesce(r.t_fixmedins_code, '') || '|' || r.t_msgid, r.k FROM ledger_rows AS r JOIN (
        SELECT t_fixmedins_code AS f, t_msgid AS m FROM ledger_rows
        WHERE direction = 0 AND named AND t_msgid IS NOT NULL
        GROUP BY ALL HAVING min(k) <> max(k)
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
            GROUP BY ALL HAVING count(*) > 1
        )
        SELECT '{name}|' || f || '|' || p || '|' || v || '|' || b, k FROM visits JOIN twice USING (f, p, v, b)
    """


DEPENDED = "CREATE TABLE depended (k VARCHAR)"


def depended(names: Sequence[str]) -> str:
    """Insert the keys the institution lacks and on which a later row of the same person or visit depends (B8).

    names: the columns that must be equal. Of each person the two last keys are enough: one of them is another one.
    """
    both = ", ".join(f"t_{name}" for name in names)
    there = " AND ".join(f"t_{name} IS NOT NULL" for name in names)
    return f"""
        INSERT INTO depended
        WITH lacking AS (
            SELECT k, min({MOMENT}) AS moment FROM ledger_rows JOIN odd USING (k)
            GROUP BY k HAVING bool_or(ledger = {GW}) AND NOT bool_or(ledger = {INST})
        ), asked AS (SELECT DISTINCT k, moment, {both} FROM lacking JOIN ledger_rows USING (k) WHERE {there}),
        each AS (
            SELECT {both}, k, max({MOMENT}) AS moment FROM ledger_rows SEMI JOIN asked USING ({both}) GROUP BY ALL
        ), latest AS (SELECT {both}, arg_max(k, moment, 2) AS ks, max(moment, 2) AS moments FROM each GROUP BY {both})
        SELECT asked.k FROM asked JOIN latest USING ({both})
        WHERE (ks[1] <> asked.k AND moments[1] > asked.moment)
            OR (len(ks) > 1 AND ks[2] <> asked.k AND moments[2] > asked.moment)
    """


CLUSTERS = f"""
    SELECT coalesce(root, k), k IN (SELECT k FROM depended), {_ROW}
    FROM ledger_rows JOIN odd USING (k) LEFT JOIN linked USING (k) ORDER BY 1, k
"""
SUMS = (
    "SELECT ledger, " + ", ".join(f"sum(a_{name})" for name in COMPONENTS)
    + " FROM ledger_rows WHERE day = 0 GROUP BY ledger ORDER BY ledger"
)  # fmt: skip
