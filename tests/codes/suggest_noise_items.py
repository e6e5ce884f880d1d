"""Untidy lists of services, consumables, diagnoses, operations and staff, and their traps; see suggest_noise."""

import random  # noqa: TID251  # chance of a test

from suggest_noise import Case, Row, live, noisy, shuffled

# Rows nobody has a national code for; general hospital knowledge, not the sample's own list.
NO_SERVICE = ("陪床费", "空调费", "病案复印", "快递费", "救护车使用费", "伙食费", "特需门诊加收", "自定项目三")
NO_DIAGNOSIS = ("腹痛待查", "肺部阴影?", "疑似肿瘤", "健康查体", "复查", "随访", "无", "其它")


def services(dice: random.Random, rows: list[Row], blank: float = 0.15) -> list[Case]:
    """Items with their price code in other spellings, or without."""
    cases = []
    for number, row in enumerate(dice.sample(live(rows), 150)):
        code = row["local_price_code"]
        code = dice.choice([code, code, code + "b", code + "-2", f" {code}", row["med_list_codg"], code + "01", ""])
        unit = {"次": "人次", "日": "天", "小时": "h", "每部位": "部位"}.get(row["prcunt"], row["prcunt"])
        local = {
            "local_code": f"S{number:04d}",
            "local_name": noisy(dice, row["servitem_name"]),
            "local_price_code": "" if dice.random() < blank else code,
            "local_unit": "" if dice.random() < blank else dice.choice([row["prcunt"], unit]),
            "local_chrgitm": row["med_chrgitm_type"],
        }
        cases.append(Case(local, row["med_list_codg"]))
    return shuffled(dice, cases)


def service_traps(dice: random.Random, rows: list[Row]) -> list[Case]:
    """Another unit, a neighbour's price code, a part of an item, no medical service at all."""
    cases = []
    names = {row["servitem_name"] for row in rows}
    for number, row in enumerate(live(rows)):
        local = {
            "local_code": f"T{number:04d}",
            "local_name": row["servitem_name"],
            "local_price_code": row["local_price_code"] if number % 2 else "",
            "local_unit": row["prcunt"],
        }
        kind = number % 4
        if kind == 0:
            local["local_unit"] = "疗程" if row["prcunt"] != "疗程" else "小时"
        elif kind == 1:
            other = dice.choice([one for one in live(rows) if one is not row])
            local["local_price_code"] = other["local_price_code"]
        elif kind == 2:
            local["local_name"] += dice.choice(["加收", "(每增加一次)", "(儿童加收)", "(双侧)"])
            local["local_price_code"] = ""
        else:
            local |= {"local_name": dice.choice(NO_SERVICE), "local_price_code": "", "local_unit": "次"}
        if kind != 2 or local["local_name"] not in names:
            cases.append(Case(local, ""))
    return cases


def _model(dice: random.Random, model: str) -> str:
    return dice.choice(
        [model, model.replace("*", "×"), model.replace("*", "X"), model.lower(), f" {model}", model.replace("mm", "")]
    )


def _barcode(dice: random.Random, udi: str) -> str:
    return dice.choice(
        [udi, udi, udi.lstrip("0"), f"(01){udi}(17)290101(10)A1{dice.randrange(99)}", f"01{udi}17290101"]
    )


def _registration(dice: random.Random, number: str) -> str:
    digits = "".join(sign for sign in number if sign.isdigit())
    return dice.choice(
        [number, f"注册证编号：{number}", digits, f"国械注准字{digits}号", number.replace("国械注准", "国械注准　")]
    )


def consumables(dice: random.Random, rows: list[Row], blank: float = 0.15) -> list[Case]:
    cases = []
    for number, row in enumerate(dice.sample(live(rows), 100)):
        maker = row["prodentp_name"]
        local = {
            "local_code": f"C{number:04d}",
            "local_name": noisy(dice, row["mcs_name"]),
            "local_spec": _model(dice, row["spec_mol"]),
            "local_udi": _barcode(dice, row["udi_di"]),
            "local_reg_no": _registration(dice, row["reg_fil_no"]),
            "local_maker": dice.choice([maker, maker.replace("有限公司", ""), maker[:4], maker[:2]]),
            "local_unit": row["min_unit"],
        }
        for field in ("local_spec", "local_udi", "local_reg_no", "local_maker"):
            if dice.random() < blank:
                local[field] = ""
        told = local["local_udi"] or (local["local_reg_no"] and local["local_spec"])
        cases.append(Case(local, row["med_list_codg"] if told else ""))
    return shuffled(dice, cases)


def consumable_traps(dice: random.Random, rows: list[Row]) -> list[Case]:
    """The registration's other model, another firm's registration, a device identifier of something else."""
    cases = []
    chosen = live(rows)
    for number, row in enumerate(chosen):
        local = {
            "local_code": f"X{number:04d}",
            "local_name": row["mcs_name"],
            "local_spec": row["spec_mol"],
            "local_udi": "",
            "local_reg_no": row["reg_fil_no"],
            "local_maker": row["prodentp_name"],
            "local_unit": row["min_unit"],
        }
        if number % 3 == 0:
            local["local_spec"] = "特大号9.9*99mm"
        elif number % 3 == 1:
            local |= {
                "local_reg_no": f"国械注准2018399{dice.randrange(10_000):04d}",
                "local_maker": "远山医疗器械有限公司",
            }
        else:
            local["local_udi"] = dice.choice([one for one in chosen if one["mcs_name"] != row["mcs_name"]])["udi_di"]
        cases.append(Case(local, ""))
    return cases


def _code(dice: random.Random, code: str) -> str:
    return dice.choice(
        [
            code,
            code,
            code.lower(),
            code.replace(".", ""),
            code.replace(".", "．"),
            code.replace("0", "O", 1)[:0] + code,
            code[:6],
            f"{code} ",
        ]
    )


def diagnoses(dice: random.Random, rows: list[Row], code: str, name: str, column: str) -> list[Case]:
    """Codes of the insurance version or of the clinical one where the table gives it, in other spellings, or none."""
    cases = []
    shared = [row[name] for row in rows]
    for number, row in enumerate(dice.sample(live(rows), 260)):
        clinical = row.get("clin_diag_code", "")
        own = clinical if clinical and dice.random() < 0.5 else row[code]
        spelled = "" if dice.random() < 0.1 else _code(dice, own)
        told = noisy(dice, row[name])
        known = spelled or shared.count(row[name]) == 1
        cases.append(
            Case({"local_code": f"Z{number:05d}", "local_name": told, column: spelled}, row[code] if known else "")
        )
    return shuffled(dice, cases)


def diagnosis_traps(dice: random.Random, rows: list[Row], code: str, name: str, column: str) -> list[Case]:
    """A neighbour's code, the other side or stage, an undecided diagnosis, a grey code without successor."""
    cases = []
    names = {row[name] for row in rows}
    chosen = live(rows)
    for number, row in enumerate(chosen[:400]):
        local = {"local_code": f"Y{number:05d}", "local_name": row[name], column: row[code]}
        kind = number % 4
        if kind == 0:
            other = dice.choice([one for one in chosen if one[code][:3] != row[code][:3]])
            local[column] = other[code]
        elif kind == 1:
            local |= {"local_name": dice.choice(["左侧", "右侧", "陈旧性", "新生儿"]) + row[name], column: ""}
        elif kind == 2:
            local |= {"local_name": dice.choice(NO_DIAGNOSIS), column: ""}
        else:
            local |= {"local_name": row[name] + dice.choice(["待查", "?", "可能", "(待排)"])}
        if local["local_name"] in names and kind != 0:
            continue
        cases.append(Case(local, ""))
    gone = [row for row in rows if row.get("gray") == "1" and not row["replaced_by"]]
    cases += [
        Case({"local_code": f"G{at}", "local_name": row[name], column: row[code]}, "") for at, row in enumerate(gone)
    ]
    return cases


def named(dice: random.Random, rows: list[Row], code: str, name: str) -> list[Case]:
    cases = [
        Case({"local_code": f"M{number:03d}", "local_name": noisy(dice, row[name])}, row[code])
        for number, row in enumerate(live(rows))
    ]
    return shuffled(dice, cases)


def staff(dice: random.Random, rows: list[Row], code: str) -> list[Case]:
    """People with their numbers whole, masked, cut or missing; strangers who share a name and a ward."""
    cases = []
    for number, row in enumerate(rows):
        identity, licence = row["certno"], row["prac_cert_no"]
        masked = (f"{identity[:3]}{'*' * 11}{identity[-4:]}", identity[:6] + "********" + identity[14:])
        local = {
            "local_code": f"P{number:04d}",
            "local_name": dice.choice([row["psn_name"], " ".join(row["psn_name"]), row["psn_name"] + "\u3000"]),
            "local_certno": dice.choice([identity, identity.lower(), *masked, ""]),
            "local_prac_cert_no": dice.choice([licence, licence.lstrip("0"), licence[-9:], ""]),
            "fixmedins_code": row["fixmedins_code"],
        }
        whole = local["local_certno"] or local["local_prac_cert_no"]
        cases.append(Case(local, row[code] if whole and row["vali_flag"] == "1" and row["prac_stas"] == "在职" else ""))
        if number % 4 == 0:
            stranger = {**local, "local_code": f"Q{number:04d}", "local_prac_cert_no": ""}
            stranger["local_certno"] = f"999{dice.randrange(10**14):014d}X"
            cases.append(Case(stranger, ""))
    return shuffled(dice, cases)
