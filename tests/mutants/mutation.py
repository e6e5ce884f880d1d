"""What a planted bug is, and the files it may stand in."""

import attrs

CALL = "gateway/exchange/call.py"
CLERK = "gateway/exchange/clerk.py"
MACHINE = "gateway/exchange/machine.py"
UNDO = "gateway/exchange/undo.py"
SENDING = "gateway/exchange/sending.py"
SAF = "gateway/exchange/saf.py"
RESOLUTION = "gateway/exchange/resolution.py"
RECOVERY = "gateway/exchange/recovery.py"
REVERSAL = "gateway/exchange/reversal.py"
WORDS = "gateway/exchange/words.py"
VERDICT = "gateway/exchange/verdict.py"
KNOWN = "gateway/exchange/known.py"
QUEUE = "gateway/exchange/queue.py"
DESK = "gateway/exchange/desk.py"
DOOR = "gateway/exchange/door.py"
ASKING = "gateway/exchange/asking.py"
LANES = "gateway/exchange/lanes.py"
ORDERED = "gateway/exchange/ordered.py"
DECIDING = "gateway/exchange/deciding.py"
MEMORY = "adapters/store/memory.py"
SQLITE = "adapters/store/sqlite_journal.py"
SQLITE_BATCH = "adapters/store/sqlite_batch.py"
SQLITE_CANCELLED = "adapters/store/sqlite_cancelled.py"
LATE = "gateway/exchange/late.py"
MODEL = "gateway/core/model.py"
CLIENT = "adapters/transport/client.py"


@attrs.frozen
class Mutation:
    """One planted bug."""

    name: str
    file: str
    old: str
    new: str
    why: str
    weathers: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
