"""What the comparison of one field of a local and a national row can say."""

from typing import ClassVar


class Verdict(str):
    """One of the five below; the letters are those of `schemas/suggest/rules.json`.

    Text and not an Enum: millions of verdicts are hashed in one run, and Enum hashes in Python.
    """

    __slots__ = ()

    EQUAL: ClassVar["Verdict"]
    NEAR: ClassVar["Verdict"]  # the same, written otherwise
    LIKE: ClassVar["Verdict"]
    UNKNOWN: ClassVar["Verdict"]  # one side is silent, or it cannot be told
    DIFFERS: ClassVar["Verdict"]


Verdict.EQUAL = Verdict("E")
Verdict.NEAR = Verdict("N")
Verdict.LIKE = Verdict("L")
Verdict.UNKNOWN = Verdict("U")
Verdict.DIFFERS = Verdict("D")
