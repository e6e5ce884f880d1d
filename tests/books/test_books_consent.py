"""Consent of both sides proves something: a registered key, or two people; and whoever looks afterwards sees it."""

from pathlib import Path

import pytest
from desk import settled
from people import HOSPITAL, Office

from adapters.crypto.sm2 import Sm2Signer
from gateway.app.audit_verify import verify_audit
from gateway.app.config import ConfigError, read_config

DAY = "2026-03-15"
ROW = settled(1, fixmedins_code=HOSPITAL)
OF_DAY = ("--date", DAY, "--scope", HOSPITAL)
HOSPITAL_KEY, AGENCY_KEY, STRANGER = (Sm2Signer.of(letter * 32) for letter in (b"h", b"a", b"s"))
INST, AGY = "hospital.txt", "agency.txt"
KEYS = f'consent_key_file = "{INST}"\n[books]\nagency_consent_key_file = "{AGY}"\n'


def office_with(folder: Path, more: str = "") -> Office:
    (folder / INST).write_text(f"# 医院\n{HOSPITAL_KEY.public.hex()}\n")
    (folder / AGY).write_text(AGENCY_KEY.public.hex().upper())
    office = Office(folder, more)
    with office.books() as books:
        books.ran(books.hand_in({"INST": [ROW], "AGY": [ROW]}, scope=HOSPITAL), scope=HOSPITAL)
    return office


def frozen(office: Office) -> bytes:
    """Freeze the day; return its digest."""
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    office.approve(day["approval"])
    return bytes.fromhex(office.run("frozen")["frozen"][-1]["freeze_sm3"])


def by_operator(office: Office, party: str, user: str, code: int = 0) -> str:
    return str(office.run("consent", *OF_DAY, "--party", party, "--operator", "01", user=user, code=code))


def by_signature(
    office: Office, party: str, signature: bytes, code: int = 0, public: bytes = b"", user: str = "li"
) -> str:
    (office.folder / "signature.der").write_bytes(signature)
    words = [*OF_DAY, "--party", party, "--signature", str(office.folder / "signature.der")]
    if public:
        (office.folder / "public.txt").write_text(public.hex())
        words += ["--public", str(office.folder / "public.txt")]
    return str(office.run("consent", *words, user=user, code=code))


def consents(office: Office) -> list[str]:
    return list(office.run("frozen")["frozen"][-1]["consents"])


def told(office: Office) -> str:
    """What `books verify` finds; `audit verify` finds the same."""
    found = office.run("verify", code=3)["findings"]
    assert list(verify_audit(office.town.config).findings) == found
    return "".join(found)


def test_one_person_does_not_speak_for_both_sides(tmp_path: Path) -> None:
    office = office_with(tmp_path)
    frozen(office)
    by_operator(office, "AGY", "li")
    assert "BF-SAME-PERSON" in by_operator(office, "INST", "li", code=1)
    assert "BF-CONSENT" in by_operator(office, "AGY", "zhou", code=1)  # nor is one taken back or replaced
    assert consents(office) == ["AGY"]
    by_operator(office, "INST", "zhou")
    assert consents(office) == ["AGY", "INST"]
    assert office.run("verify")["ok"]
    with office.town.desk() as desk:
        kept = [(row.who, row.result) for row, _ in desk.store.rows() if row.action == "books.consent"]
    assert kept == [("li", "ok"), ("li", "BF-SAME-PERSON"), ("zhou", "BF-CONSENT"), ("zhou", "ok")]


def test_a_right_to_decide_is_asked_for(tmp_path: Path) -> None:
    office = office_with(tmp_path)
    frozen(office)
    assert "SEC-RIGHT" in by_operator(office, "INST", "qian", code=1)


def test_a_signature_counts_by_the_registered_key_only(tmp_path: Path) -> None:
    office = office_with(tmp_path, KEYS)
    digest = frozen(office)
    ours, theirs = HOSPITAL_KEY.sign(digest), STRANGER.sign(digest)
    assert "BF-KEY" in by_signature(office, "INST", theirs, code=1, public=STRANGER.public)
    assert "BF-SIGN" in by_signature(office, "INST", theirs, code=1)
    assert "BF-SIGN" in by_signature(office, "INST", theirs, code=1, public=HOSPITAL_KEY.public)
    assert "BF-SIGN" in by_signature(office, "AGY", ours, code=1)  # each party has its own
    assert "BF-SIGN" in by_signature(office, "INST", HOSPITAL_KEY.sign(b"something else"), code=1)
    assert consents(office) == []
    by_signature(office, "INST", ours, public=HOSPITAL_KEY.public)
    by_signature(office, "AGY", AGENCY_KEY.sign(digest))  # one person may bring both: they prove themselves
    assert consents(office) == ["AGY", "INST"]
    assert office.run("verify")["ok"]


def test_without_a_registered_key_no_signature_counts(tmp_path: Path) -> None:
    office = office_with(tmp_path)
    digest = frozen(office)
    assert "BF-KEY" in by_signature(office, "AGY", AGENCY_KEY.sign(digest), code=1, public=AGENCY_KEY.public)
    by_operator(office, "AGY", "li")


def test_a_party_that_signs_leaves_the_other_to_whoever_recorded_it(tmp_path: Path) -> None:
    office = office_with(tmp_path, KEYS)
    by_signature(office, "INST", HOSPITAL_KEY.sign(frozen(office)))
    by_operator(office, "AGY", "li")
    assert office.run("verify")["ok"]


def test_a_new_key_does_not_unmake_what_the_old_one_proved(tmp_path: Path) -> None:
    office = office_with(tmp_path, KEYS)
    by_signature(office, "INST", HOSPITAL_KEY.sign(frozen(office)))
    (tmp_path / INST).write_text(f"{STRANGER.public.hex()}\n{HOSPITAL_KEY.public.hex()}\n")
    assert office.run("verify")["ok"]
    (tmp_path / INST).write_text(STRANGER.public.hex())
    assert "BV-CONSENT" in told(office)
    assert "没有为该方登记" in told(office)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE freeze_consent SET who = 'li'", "同一人"),
        ("UPDATE freeze_consent SET who = 'zhao' WHERE party = 'AGY'", "经办机构的确认没有审计记录"),
        ("UPDATE freeze_consent SET proof = '02' WHERE party = 'AGY'", "经办机构的确认没有审计记录"),
        ("UPDATE freeze_consent SET kind = 'signature', proof = 'ab cd' WHERE party = 'INST'", "没有为该方登记"),
        ("UPDATE freeze_consent SET kind = 'signature', proof = 'x' WHERE party = 'INST'", "不可读"),
    ],
)
def test_what_was_changed_past_the_program_is_found(tmp_path: Path, change: str, what: str) -> None:
    office = office_with(tmp_path)
    frozen(office)
    by_operator(office, "AGY", "li")
    by_operator(office, "INST", "zhou")
    with office.books() as books:
        books.connection.execute("DROP TRIGGER freeze_consent_stays")
        books.connection.execute(change)
    assert f"[BV-CONSENT] 第1次固化（{HOSPITAL} {DAY}）" in told(office)
    assert what in told(office)


def test_a_signature_moved_to_another_day_is_found(tmp_path: Path) -> None:
    office = office_with(tmp_path, KEYS)
    by_signature(office, "INST", HOSPITAL_KEY.sign(frozen(office)))
    other = HOSPITAL_KEY.sign(b"another day's digest 0123456789a")
    with office.books() as books:
        books.connection.execute("DROP TRIGGER freeze_consent_stays")
        proof = f"{other.hex()} {HOSPITAL_KEY.public.hex()}"
        books.connection.execute("UPDATE freeze_consent SET proof = ?", (proof,))
    assert "签名不成立" in told(office)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        (INST, None, "无法读取"),
        (INST, "", "没有公钥"),
        (INST, "12" * 64, "第1行"),
        (AGY, "# x\n钥", "第2行"),
        (AGY, HOSPITAL_KEY.public.hex(), "同一把公钥"),
    ],
)
def test_a_file_of_keys_that_proves_nothing_is_a_wrong_configuration(
    tmp_path: Path, file: str, content: str | None, what: str
) -> None:
    office = office_with(tmp_path, KEYS)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=what):
        read_config(office.town.file)


def test_what_was_said_of_a_day_is_looked_up_and_not_searched_for(tmp_path: Path) -> None:
    """A thousand refusals hide no consent, and a day costs the same however long the trail is."""
    office = office_with(tmp_path)
    frozen(office)
    by_operator(office, "AGY", "li")
    said: list[str] = []
    with office.town.desk() as desk:
        with desk.trail.writing():
            for _ in range(1_000):
                desk.trail.note("zhou", "books.consent", f"care:{HOSPITAL}:{DAY}", result="BF-CONSENT")
        desk.store.connection.set_trace_callback(said.append)
        assert len(desk.store.told_of(f"care:{HOSPITAL}:{DAY}", "books.consent")) == 1
        desk.store.connection.set_trace_callback(None)
        plan = [row[-1] for row in desk.store.connection.execute(f"EXPLAIN QUERY PLAN {said[-1]}")]
    assert plan == ["SEARCH audit USING INDEX audit_subject (subject=?)"]
    assert office.run("verify")["ok"]
