"""How the duty commands open the desk, say what it refuses, and spell entries out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from adapters.crypto.keyfile import KeyFileError
from adapters.crypto.vault import VaultError
from adapters.store.codes_duties import StepRefused
from gateway.app.codes_say import explained
from gateway.app.duty_desk import Desk, DutyRefused, DutyUsage
from gateway.app.say import FAILED, USAGE, Outside, end, load
from gateway.codes.duties import Register
from gateway.codes.duty_entries import ACTIONS, fields_for, masked
from gateway.codes.duty_steps import STATES, Known
from gateway.core.dates import day_of, shanghai


def desk_of(outside: Outside, config: str, as_json: bool) -> Desk:
    """Open the desk of a configuration; a wrong one ends with exit code 2."""
    return Desk.open(load(config, as_json), outside.entropy, outside.now())


@contextmanager
def deciding(as_json: bool) -> Iterator[None]:
    """Turn what the desk, the files and the store raise into sentences and an exit code."""
    with explained(as_json):
        try:
            yield
        except DutyUsage as cause:
            end(USAGE, *cause.problems, as_json=as_json)
        except DutyRefused as cause:
            end(FAILED, *cause.problems, as_json=as_json)
        except StepRefused as cause:
            end(FAILED, f"{cause}号申报刚有别的操作，请重新查看后再做；未作任何改动", as_json=as_json)
        except KeyFileError as cause:
            end(USAGE, str(cause), as_json=as_json)
        except VaultError as cause:
            end(FAILED, f"申报内容无法解密：{cause}", as_json=as_json)


def numbers(entries: Iterable[Known]) -> str:
    """Spell entry numbers with their runs closed up: 1-3、5."""
    runs: list[list[int]] = []
    for number in sorted(one.id for one in entries):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return "、".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def moment(at_ms: int) -> str:
    return f"{shanghai(at_ms / 1000):%Y-%m-%d %H:%M:%S}"


def entry_record(entry: Known) -> dict[str, object]:
    """Return an entry without its content, for `--json`."""
    return {
        "entry": entry.id,
        "filing": entry.filing,
        "line": entry.line,
        "owner": entry.owner,
        "system": entry.system,
        "action": entry.action,
        "maker": entry.maker,
        "filed_at": moment(entry.at_ms),
        "state": entry.state,
        "code": entry.new_code,
        "day": day_of(entry.at_ms / 1000),
    }


def entry_line(entry: Known) -> str:
    code = entry.new_code or "（无编码）"
    return (
        f"{entry.id}\t{entry.system}\t{entry.owner}\t{ACTIONS[entry.action]}\t{code}\t{STATES[entry.state]}\t"
        f"{entry.maker}\t{day_of(entry.at_ms / 1000)}"
    )


def content_lines(register: Register, entry: Known, values: Mapping[str, str], *, whole: bool) -> list[str]:
    """Spell a content out, a line a fact; of a person's facts only the shape unless whole."""
    fields = fields_for(register, entry.action)
    shown: Sequence[tuple[str, str]] = [
        (field.zh, values[field.name] if whole else masked(field, values[field.name]))
        for field in fields
        if field.name in values
    ]
    return [entry_line(entry), *(f"    {title}：{text}" for title, text in shown)]


def fault_line(entry: int, rule: str, message: str) -> str:
    return f"{entry}号 {rule} {message}"
