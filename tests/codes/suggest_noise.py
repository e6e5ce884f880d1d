"""Other hospitals' untidiness, seeded: local lists made from a national table, with the truth and with traps.

Written from what hospitals' lists look like, without regard to the noise in tests/data/codes. A trap is a local row
that has no right code in the table although one looks much like it: nothing sure may be said about it.
"""

import csv
import random  # noqa: TID251  # chance of a test
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs
from opencc import OpenCC

DATA = Path(__file__).parents[1] / "data" / "codes"
Row = dict[str, str]
Noise = Callable[[random.Random, str], str]
TO_TRADITIONAL = OpenCC("s2t").convert


@attrs.frozen
class Case:
    """One local row. truth: the right code, "" = none may be sure."""

    row: Row
    truth: str


def table(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: Iterable[Row], without: frozenset[str] = frozenset()) -> Path:
    rows = list(rows)
    names = [name for name in rows[0] if name not in without]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


# ------------------------------------------------------------------ one name


def traditional(dice: random.Random, name: str) -> str:
    return TO_TRADITIONAL(name)


def tagged(dice: random.Random, name: str) -> str:
    tag = dice.choice(["【国谈】", "〔集采〕", "(基药)", "△", "★", "[急诊]", "{医保}", "（住院）", "<自费>"])
    return tag + name if dice.random() < 0.5 else name + tag


def unknown_tag(dice: random.Random, name: str) -> str:
    return name + dice.choice(["(3楼)", "(王主任)", "(限儿科)", "(新批次)", "@2"])


def bracketed(dice: random.Random, name: str) -> str:
    return name.translate(str.maketrans("()", dice.choice(["【】", "〔〕", "[]", "（）"])))


def blanks(dice: random.Random, name: str) -> str:
    return dice.choice([" ", "\u3000", "\u00a0"]).join(name) if len(name) < 8 else f" {name[:3]}  {name[3:]}\u3000"


def dropped(dice: random.Random, name: str) -> str:
    if len(name) < 6:
        return name
    at = dice.randrange(1, len(name))
    return name[:at] + name[at + 1 :]


def doubled(dice: random.Random, name: str) -> str:
    at = dice.randrange(len(name))
    return name[:at] + name[at] + name[at:]


def swapped(dice: random.Random, name: str) -> str:
    if len(name) < 4:
        return name
    at = dice.randrange(1, len(name) - 1)
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def mistyped(dice: random.Random, name: str) -> str:
    at = dice.randrange(len(name))
    return name[:at] + dice.choice("的是一在人有我他这中大来上国型性术片液") + name[at + 1 :]


def cut(dice: random.Random, name: str) -> str:
    return name[:10]


def small(dice: random.Random, name: str) -> str:
    return name.lower()


NAME_NOISES: tuple[Noise, ...] = (
    traditional, tagged, unknown_tag, bracketed, blanks, dropped, doubled, swapped, mistyped, cut, small,
)  # fmt: skip


def noisy(dice: random.Random, name: str) -> str:
    for noise in dice.sample(NAME_NOISES, dice.choice([0, 0, 1, 1, 2])):
        name = noise(dice, name) or name
    return name


def live(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.get("vali_flag", "1") == "1" and row.get("gray", "0") == "0"]


def shuffled(dice: random.Random, cases: list[Case]) -> list[Case]:
    dice.shuffle(cases)
    return cases


# ------------------------------------------------------------------ medicines


def _spec(dice: random.Random, spec: str) -> str:
    return dice.choice(
        [
            spec,
            spec.replace("mg", "毫克").replace("ml", "毫升"),
            spec.replace("mg", "ＭＧ").replace("g", "克") if "mg" not in spec else spec.replace("mg", "MG"),
            spec.replace("*", "×").replace(":", "："),
            spec.replace("μg", "ug").replace("IU", "单位"),
        ]
    )


def _pack(dice: random.Random, pack: str) -> str:
    inner, _, outer = pack.partition("/")
    count = "".join(sign for sign in inner if sign.isdigit())
    unit = inner[len(count) :]
    if not outer or not count:
        return pack
    ways = [pack, f"{inner}*1{outer}", f"{inner}×1{outer}", f"{outer}×{count}", f"{count} {unit} / {outer}"]
    if int(count) % 2 == 0 and unit in ("片", "粒"):
        ways.append(f"{int(count) // 2}{unit}*2板/{outer}")
    return dice.choice(ways)


def _approval(dice: random.Random, approval: str) -> str:
    return dice.choice(
        [approval, approval, approval.lower(), approval.replace("国药准字", "国药准字："), approval[-9:],
         "批准文号" + approval, approval.replace("国药准字", "国药准字 "), approval[:8] + " " + approval[8:]]
    )  # fmt: skip


def _maker(dice: random.Random, maker: str) -> str:
    brand = maker[:2]
    short = maker.replace("有限公司", "").replace("股份", "").replace("集团", "")
    return dice.choice(
        [maker, maker, short, brand, f"{short}公司", TO_TRADITIONAL(maker), maker.replace("有限公司", "有限责任公司")]
    )


def drug_row(dice: random.Random, row: Row, number: int, blank: float) -> Row:
    """blank: how often a field is left empty."""
    spec, pack = _spec(dice, row["spec"]), _pack(dice, row["pacspec"])
    if spec and dice.random() < 0.2 and row["pacspec"]:
        spec, pack = f"{row['spec']}*{row['pacspec']}", ""
    local = {
        "local_code": f"D{number:05d}",
        "local_name": noisy(dice, row["generic_name"]),
        "local_spec": spec,
        "local_pack": pack,
        "local_dosform": row["dosform"] if dice.random() < 0.5 else "",
        "local_maker": _maker(dice, row["prodentp_name"]) if row["prodentp_name"] else "",
        "local_aprvno": _approval(dice, row["aprvno"]) if row["aprvno"] else "",
        "local_unit": row["pack_unit"],
    }
    for field in ("local_spec", "local_pack", "local_maker", "local_aprvno"):
        if dice.random() < blank:
            local[field] = ""
    return local


def undecidable(local: Row, row: Row, rows: Iterable[Row]) -> bool:
    """Say whether what the local row still tells fits several national rows, dead ones included."""
    asked = (
        ("local_aprvno", "aprvno"),
        ("local_maker", "prodentp_name"),
        ("local_spec", "spec"),
        ("local_pack", "pacspec"),
    )
    known = [theirs for mine, theirs in asked if local[mine] or (mine == "local_pack" and "*" in local["local_spec"])]
    same = [one for one in rows if one["generic_name"] == row["generic_name"]]
    return sum(all(one[field] == row[field] for field in known) for one in same) > 1


def drugs(dice: random.Random, rows: list[Row], blank: float = 0.1) -> list[Case]:
    chosen = [row for row in live(rows) if row["drug_kind"] != "T"]
    cases = []
    for number, row in enumerate(dice.sample(chosen, min(250, len(chosen)))):
        local = drug_row(dice, row, number, blank)
        cases.append(Case(local, "" if undecidable(local, row, rows) else row["med_list_codg"]))
    return shuffled(dice, cases)


def drug_traps(dice: random.Random, rows: list[Row]) -> list[Case]:
    """Products the table does not have: other producer, other strength, other pack, other release, other herb."""
    cases = []
    products = [row for row in live(rows) if row["drug_kind"] != "T"]
    makers = sorted({row["prodentp_name"] for row in products})
    for number, row in enumerate(products):
        kind = number % 6
        other = dict(row)
        if kind == 0:
            other["prodentp_name"] = dice.choice(["远山制药有限公司", "长河药业集团有限公司", "云泽东方制药有限公司"])
            other["aprvno"] = ""
        elif kind == 1:
            other["prodentp_name"] = dice.choice([maker for maker in makers if maker != row["prodentp_name"]])
            other["aprvno"] = f"国药准字H2099{dice.randrange(10_000):04d}"
        elif kind == 2:
            other["spec"] = "0.333g"
        elif kind == 3:
            other["pacspec"] = "17片/盒"
        elif kind == 4:
            other["generic_name"] = dice.choice(["复方", "左旋", "小儿"]) + row["generic_name"]
            other["aprvno"] = ""
        else:
            other["prodentp_name"], other["aprvno"] = "", ""
        cases.append(Case(drug_row(dice, other, number, 0.0), ""))
    twins = {(row["generic_name"], row["spec"], row["pacspec"], row["prodentp_name"]) for row in products}
    return [case for case in cases if not _exists(case, twins)]


def _exists(case: Case, twins: set[tuple[str, str, str, str]]) -> bool:
    row = case.row
    return (row["local_name"], row["local_spec"], row["local_pack"], row["local_maker"]) in twins


def herbs(dice: random.Random, rows: list[Row]) -> list[Case]:
    """Herbs as written, and traps: processed, raw, granule, patent medicine of that name."""
    cases = []
    names = {row["generic_name"] for row in rows}
    for number, row in enumerate(row for row in live(rows) if row["drug_kind"] == "T"):
        name, truth, form, approval = row["generic_name"], row["med_list_codg"], "中药饮片", ""
        kind = number % 5
        if kind == 1:
            name, truth = dice.choice("炙酒醋盐炒煅") + name, ""
        elif kind == 2:
            name, truth, form = name + "配方颗粒", "", ""
        elif kind == 3:
            name, truth, form, approval = name + "片", "", "片剂", "国药准字Z20991234"
        elif kind == 4:
            name = tagged(dice, bracketed(dice, name))
        if not truth and name in names:
            continue
        local = drug_row(dice, row | {"generic_name": name, "dosform": form}, number, 0.0)
        local |= {
            "local_name": name,
            "local_dosform": form,
            "local_aprvno": approval,
            "local_unit": "g",
            "local_pack": "",
        }
        cases.append(Case(local, truth))
    return cases


def crowded(dice: random.Random, rows: list[Row], firms: int = 20) -> list[Row]:
    """The same medicines of many more producers, in every strength and pack of the substance."""
    found = list(rows)
    for row in [row for row in live(rows) if row["drug_kind"] != "T"][:60]:
        for firm in range(firms):
            maker = dice.choice(["华安", "康宁", "天河", "百草", "瑞康"]) + dice.choice(["", "生物", "东方", "中"])
            maker += dice.choice(["制药有限公司", "药业股份有限公司", "药业集团有限公司", "制药厂"])
            code = row["med_list_codg"][:-5] + f"{80000 + len(found)}"[-5:]
            approval = f"国药准字H{2010 + firm % 10}{dice.randrange(10_000):04d}"
            found.append(row | {"med_list_codg": code, "prodentp_name": maker, "aprvno": approval, "replaced_by": ""})
    dice.shuffle(found)
    return found
