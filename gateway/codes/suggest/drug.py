"""Medicines: western and patent medicines by approval number, herbs and granules by their exact name.

Another producer of the same substance is another code (串换), so is another strength, pack or release; a raw herb is
not its processed form, and a piece is not a granule (mapping rules section 4, column "never").
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from operator import ne

from gateway.codes.suggest.amounts import split_spec, verdict_of_packs, verdict_of_strengths
from gateway.codes.suggest.columns import Drug, LocalDrug
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.makers import MakerBook
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import Form, medicines

_APPROVAL = re.compile(r"(?<![A-Z0-9])(HJ|ZJ|SJ|HC|ZC|SC|BH|BZ|[HZSJBFTX])?([0-9OIL]{8})(?![0-9])")
_USUAL = re.compile(r"(?:国药准字)?([HZSJBFT][0-9]{8})")
_DIGITS = str.maketrans({"O": "0", "I": "1", "L": "1"})
_LETTERS = "HZSJBFTXC"
_PIECE, _GRANULE, _PRODUCT = "piece", "granule", "product"
Field = dict[str, Verdict]


@lru_cache(maxsize=1 << 15)
def approval_of(text: str) -> str:
    """Return the approval number without its words: `国药准字 H20057567` = `H20057567`; other text folded."""
    if usual := _USUAL.fullmatch(text):
        return usual[1]
    plain = re.sub(r"[\s\-_.,;:()（）]+", "", fold(text))
    found = _APPROVAL.search(re.sub(r"[\u4e00-\u9fff]+", " ", plain))
    return (found[1] or "") + found[2].translate(_DIGITS) if found else plain


def _approval_key(text: str) -> str:
    """Return the key by the digits alone; some hospitals leave the letter out."""
    return f"aprv:{approval_of(text).lstrip(_LETTERS)}"


def verdict_of_approvals(local: str, national: str) -> Verdict:
    """Compare a number as `approval_of` returns it with a national one; a single wrong character is only near."""
    if not local or not national:
        return Verdict.UNKNOWN
    other = approval_of(national)
    if local == other or (local.isdigit() and local == other.lstrip(_LETTERS)):
        return Verdict.EQUAL
    slips = sum(map(ne, local, other)) if len(local) == len(other) else 9
    return Verdict.NEAR if slips == 1 else Verdict.DIFFERS


@cache
def _forms() -> list[tuple[str, Form]]:
    pairs = [(word, form) for form in medicines().forms for word in form.words]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


@lru_cache(maxsize=1 << 15)
def form_of(text: str) -> Form | None:
    """Return the dosage form the end (or the 注射用 at the beginning) of a text names."""
    plain = re.sub(r"[()]+", "", fold(text))
    if plain.startswith("注射用"):
        return next(form for word, form in _forms() if word == "注射用")
    return next((form for word, form in _forms() if plain.endswith(fold(word))), None)


def verdict_of_forms(local: Form | None, national: Form | None) -> Verdict:
    """Compare dosage forms; a word that leaves the release open (片 for 肠溶片) cannot tell."""
    if local is None or national is None:
        return Verdict.UNKNOWN
    if local.family != national.family:
        return Verdict.DIFFERS
    if local.kind == national.kind:
        return Verdict.EQUAL
    return Verdict.DIFFERS if local.kind and national.kind else Verdict.LIKE


@cache
def _generics() -> list[tuple[str, str]]:
    table = {fold(old): fold(new) for old, new in medicines().generic_of.items()}
    return sorted(table.items(), key=lambda pair: -len(pair[0]))


def reduced(name: str) -> str:
    """Return a medicine's name without salt and dosage form, an old name replaced by the present one."""
    plain = re.sub(r"[()]+", "", name)
    for old, new in _generics():
        if plain.startswith(old):
            plain = new + plain[len(old) :] if not new.endswith(plain[len(old) :]) else new
            break
    plain = plain.removeprefix("注射用").removeprefix("吸入用")
    for salt in _loose_salts():
        if plain.startswith(salt) and len(plain) > len(salt) + 1:
            plain = plain[len(salt) :]
            break
    for word, _ in _forms():
        if plain.endswith(fold(word)) and len(plain) > len(word) + 1:
            return plain[: -len(word)]
    return plain


@cache
def _loose_salts() -> list[str]:
    kept = medicines().salts_kept
    return sorted((salt for salt in medicines().salts if salt not in kept), key=lambda salt: -len(salt))


def salt_of(name: str) -> str:
    plain = fold(name).removeprefix("注射用")
    return next((salt for salt in _loose_salts() if plain.startswith(salt)), "")


@lru_cache(maxsize=1 << 15)
def telling_of(name: str) -> frozenset[str]:
    """Return the words in a medicine's name without which it is another medicine (复方, 左旋, 缓释 ...)."""
    plain = fold(name)
    return frozenset(word for word in medicines().telling if word in plain)


@lru_cache(maxsize=1 << 15)
def processing_of(name: str) -> frozenset[str]:
    """Return the words of processing in a herb's name (炙, 酒, 炒 ...)."""
    plain = fold(name)
    return frozenset(word for word in medicines().processing if word in plain)


def kind_of_entry(code: str) -> str:
    """Return what a national code stands for: 10 characters are a piece, 20 with T a granule."""
    if not code.startswith("T"):
        return _PRODUCT
    return _PIECE if len(code) < 15 else _GRANULE


def kind_of_local(local: Local) -> str:
    """Return what the institution's own words say the row is; "" when they leave it open."""
    facts: LocalDrug = local.facts
    if facts.approval:
        return _PRODUCT
    words = fold(f"{local.name} {facts.form}")
    if any(fold(word) in words for word in medicines().granule_words[:2]):
        return _GRANULE
    form = form_of(facts.form)
    if form is not None:
        return {"piece": _PIECE, "tcm_granule": _GRANULE, "granule": ""}.get(form.family, _PRODUCT)
    if facts.spec or facts.maker:
        return ""
    loose = {fold(unit) for unit in medicines().piece_units}
    return _PIECE if fold(facts.unit) in loose or fold(facts.pack) in loose else ""


class DrugDesk:
    """See `desk.Desk`."""

    def __init__(self) -> None:
        self.namer = Namer("drug", reduced)
        self._makers = MakerBook()

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        facts: Drug = entry.facts
        for name in (facts.maker, facts.packer, facts.holder):
            self._makers.add(name)
        if facts.approval:
            yield _approval_key(facts.approval)
        if facts.barcode:
            yield f"bar:{fold(facts.barcode)}"

    def local_keys(self, local: Local) -> Iterable[str]:
        facts: LocalDrug = local.facts
        if facts.approval:
            yield _approval_key(facts.approval)
        if facts.barcode:
            yield f"bar:{fold(facts.barcode)}"

    def lens(self, local: Local) -> Lens:
        kind = kind_of_local(local)
        product = self._product_lens(local, kind)
        piece = self._piece_lens(local, kind)
        return lambda entry: product(entry) if kind_of_entry(entry.code) == _PRODUCT else piece(entry)

    def _product_lens(self, local: Local, kind: str) -> Lens:
        facts: LocalDrug = local.facts
        spec, packed = split_spec(facts.spec, facts.pack)
        approval = approval_of(facts.approval)
        own_form = form_of(facts.form) or form_of(local.name)
        names: dict[tuple[str, ...], tuple[Verdict, float]] = {}
        specs: dict[str, Verdict] = {}
        packs: dict[str, Verdict] = {}
        kinds = Verdict.EQUAL if kind in (_PRODUCT, "") else Verdict.DIFFERS

        def compare(entry: Entry) -> Compared:
            theirs: Drug = entry.facts
            if entry.names not in names:
                names[entry.names] = self._names(local.name, entry.names)
            if theirs.spec not in specs:
                specs[theirs.spec] = verdict_of_strengths(spec, theirs.spec)
            if theirs.pack not in packs:
                packs[theirs.pack] = verdict_of_packs(packed, theirs.pack)
            name, alike = names[entry.names]
            verdicts = {
                "kind": kinds,
                "approval": verdict_of_approvals(approval, theirs.approval),
                "barcode": _same(facts.barcode, theirs.barcode),
                "name": name,
                "form": verdict_of_forms(own_form, form_of(theirs.form) or form_of(entry.names[0])),
                "spec": specs[theirs.spec],
                "pack": packs[theirs.pack],
                "maker": self._makers.verdict(facts.maker, (theirs.maker, theirs.packer, theirs.holder)),
            }
            return Compared("drug", verdicts, alike)

        return compare

    def _piece_lens(self, local: Local, kind: str) -> Lens:
        own = processing_of(local.name)
        stem = Local(local.code, _without_granule(local.name), "", local.facts)

        def compare(entry: Entry) -> Compared:
            theirs = kind_of_entry(entry.code)
            if theirs == _GRANULE:
                name, alike = self._names(stem.name, tuple(map(_without_granule, entry.names)))
            else:
                name, alike = self._names(local.name, entry.names)
            kinds = Verdict.UNKNOWN if not kind else Verdict.EQUAL if kind == theirs else Verdict.DIFFERS
            same = Verdict.EQUAL if own == processing_of(entry.names[0]) else Verdict.DIFFERS
            return Compared("piece", {"kind": kinds, "name": name, "processing": same}, alike)

        return compare

    def _names(self, local: str, names: tuple[str, ...]) -> tuple[Verdict, float]:
        """Compare with every name a row goes by, and keep the best; other salts are other products."""
        best = (Verdict.DIFFERS, 0.0)
        mine = self.namer.name(local)
        for raw in names:
            verdict, alike = verdict_of_names(mine, self.namer.name(raw))
            if verdict is Verdict.EQUAL:
                return verdict, alike
            if verdict is Verdict.NEAR and (other := salt_of(raw)) and (own := salt_of(local)) and own != other:
                verdict = Verdict.LIKE
            if verdict is Verdict.LIKE and telling_of(local) != telling_of(raw):
                verdict = Verdict.DIFFERS
            if (verdict is Verdict.NEAR, alike) > (best[0] is Verdict.NEAR, best[1]):
                best = (verdict, alike)
        return best

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        mine: LocalDrug = local.facts
        theirs: Drug = entry.facts
        return {
            "approval": (mine.approval, theirs.approval),
            "barcode": (mine.barcode, theirs.barcode),
            "name": (local.name, entry.names[0]),
            "form": (mine.form, theirs.form) if mine.form else ("", ""),
            "spec": (mine.spec, theirs.spec),
            "pack": (mine.pack, theirs.pack),
            "maker": (mine.maker, theirs.maker),
            "processing": (local.name, entry.names[0]),
        }

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        if self.namer.undecided(local.name) and not local.facts.approval:
            return 0.5, "院内名称表明可能是自制、赠送、临采或非药品，多半没有国家编码"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        one: Drug = old.facts
        other: Drug = new.facts
        alike = (one.maker, one.form) == (other.maker, other.form) and old.names[0] == new.names[0]
        same_spec = one.spec == other.spec or verdict_of_strengths(one.spec, other.spec) is Verdict.EQUAL
        same_pack = one.pack == other.pack or verdict_of_packs(one.pack, other.pack) is Verdict.EQUAL
        return alike and same_spec and same_pack

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        theirs: Drug = entry.facts
        unit = fold(local.facts.unit)
        known = {fold(theirs.min_unit), fold(theirs.pack_unit)} - {""}
        if unit and known and unit not in known and kind_of_entry(entry.code) == _PRODUCT:
            return [f"单位“{local.facts.unit}”与国家目录不同，请核对转换比"]
        return []


def _same(local: str, national: str) -> Verdict:
    if not local or not national:
        return Verdict.UNKNOWN
    return Verdict.EQUAL if fold(local) == fold(national) else Verdict.DIFFERS


def _without_granule(name: str) -> str:
    plain = fold(name)
    for word in medicines().granule_words:
        plain = plain.replace(fold(word), "")
    return plain.replace("()", "") or name
