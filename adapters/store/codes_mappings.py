"""What the second person and the checks read of the codes store: rows with their facts, lives of codes, raw records."""

from collections.abc import Collection, Iterator

import attrs

from adapters.store.codes_library_reader import LibraryLook, StoredRecord
from adapters.store.codes_reader import CodesReader, standing

# line, local, national, from, to, evidence, facts as JSON
DescribedRow = tuple[int, str, str, str, str, str, str]
# code, name, begndate, enddate, vali_flag, gray, other columns as JSON
RawRow = tuple[str, str, str, str, str, str, str]

_DESCRIBED = (
    "SELECT line, local_code, national_code, valid_from, valid_to, evidence, facts FROM mapping "
    "WHERE batch = ? ORDER BY line"
)
_PAPERS = """
    SELECT batch.kind, batch.reason, proposal.content, coalesce(returned.reviewer, ''), coalesce(returned.reason, '')
    FROM batch JOIN proposal ON proposal.batch = batch.id LEFT JOIN returned ON returned.batch = batch.id
    WHERE batch.id = ?
"""
_LIFE = """
    SELECT batch.id, batch.kind, batch.source, batch.maker, proposal.at_ms, batch.reason,
        mapping.line, mapping.national_code, mapping.valid_from, mapping.valid_to, mapping.evidence,
        coalesce(returned.reviewer, ''), coalesce(returned.reason, ''), coalesce(returned.at_ms, 0)
    FROM mapping JOIN batch ON batch.id = mapping.batch JOIN proposal ON proposal.batch = batch.id
    LEFT JOIN returned ON returned.batch = batch.id
    WHERE batch.institution = ? AND batch.system = ? AND mapping.local_code = ? ORDER BY batch.id, mapping.line
"""
_REVIEWS = """
    SELECT review.reviewer, approval.at_ms, approval.catalogue,
        coalesce(refusal.rule, ''), coalesce(refusal.message, '')
    FROM review JOIN approval ON approval.review = review.id
    LEFT JOIN refusal ON refusal.review = review.id AND refusal.line = ?
    WHERE review.batch = ? ORDER BY review.id
"""


@attrs.frozen
class Papers:
    """What belongs to a proposal beside its rows. content: SM3 of the rows when they were proposed, '' = not known;
    returned_by, returned_for: who gave it back and why, '' = nobody did.
    """

    kind: str
    reason: str
    content: str
    returned_by: str
    returned_for: str


@attrs.frozen
class Reviewed:
    """One approval that had to decide a row. rule '' = it came into force by it."""

    reviewer: str
    at_ms: int
    catalogue: str
    rule: str
    message: str


@attrs.frozen
class Stage:
    """One row a local code ever had, proposed by whom, and what became of it."""

    batch: int
    kind: str
    source: str
    maker: str
    at_ms: int
    reason: str
    line: int
    national: str
    valid_from: str
    valid_to: str
    evidence: str
    returned_by: str
    returned_for: str
    returned_ms: int
    reviews: tuple[Reviewed, ...]


_STAGE = tuple(field.name for field in attrs.fields(Stage))[:-1]


def described(reader: CodesReader, batch: int) -> Iterator[DescribedRow]:
    """Yield every row of a proposal with its facts, in the order of lines."""
    yield from reader.connection.execute(_DESCRIBED, (batch,))


def papers(reader: CodesReader, batch: int) -> Papers:
    """Return what belongs to a proposal."""
    return Papers(*reader.connection.execute(_PAPERS, (batch,)).fetchone())


def institutions_of(reader: CodesReader, system: str) -> list[str]:
    """Return the institutions that ever proposed a mapping of a system."""
    query = "SELECT DISTINCT institution FROM batch WHERE system = ? ORDER BY institution"
    return [institution for (institution,) in reader.connection.execute(query, (system,))]


def life(reader: CodesReader, institution: str, system: str, local: str) -> list[Stage]:
    """Return every row a local code ever had, oldest first."""
    stages = []
    for row in reader.connection.execute(_LIFE, (institution, system, local)).fetchall():
        reviews = reader.connection.execute(_REVIEWS, (row[6], row[0])).fetchall()
        done = tuple(Reviewed(*review) for review in reviews)
        stages.append(Stage(**dict(zip(_STAGE, row, strict=True)), reviews=done))
    return stages


def catalogue(reader: CodesReader, system: str) -> str:
    """Return the newest released version of a system's library, '' when there is none."""
    return next((version.ver for version in reversed(reader.versions()) if version.system == system), "")


def raw_records(reader: CodesReader, system: str, codes: Collection[str]) -> list[RawRow]:
    """Return the records in force of these codes."""
    look = LibraryLook.of(reader, system)
    versions = standing(look.versions)
    found = (look.find(code, versions) for code in sorted(codes))
    return [raw_row(record) for record in found if record is not None]


def raw_library(reader: CodesReader, system: str) -> Iterator[RawRow]:
    """Yield the whole library in force with its other columns."""
    look = LibraryLook.of(reader, system)
    return map(raw_row, look.records(standing(look.versions)))


def raw_row(one: StoredRecord) -> RawRow:
    """Return a record as the checks read it."""
    return one.code, one.name, one.begndate, one.enddate, one.vali_flag, one.gray, one.raw
