"""Insured persons of an invented city. Person number n is the same for the platform and for every institution."""

import attrs

AREA = "510800"
ELSEWHERE = ("510100", "510700", "500100", "440100")
"""Where people come from who are treated here but insured elsewhere: two places in the province, two beyond it."""
PROVINCE = "510000"
"""Who clears what concerns other places."""
PERSONS_MAX = 1_000_000
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@attrs.define
class Person:
    """One insured person; amounts in fen. Numbers start with 999, which no real identity number does."""

    number: int
    psn_no: str
    certno: str
    name: str
    gend: str
    brdy: str
    insutype: str
    psn_type: str
    insuplc: str
    civil_servant: bool
    aided: bool
    balance_fen: int
    deductible_used_fen: int = 0
    fund_paid_fen: int = 0


def _check_digit(first17: str) -> str:
    """GB 11643 check character."""
    total = sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def person(number: int, remote_every: int = 0) -> Person:
    """Person `number` (0..999999), made from the number alone. remote_every: each so-many-th is insured elsewhere."""
    mixed = (number * 2654435761) & 0xFFFFFFFF
    year, month, date = 1940 + mixed % 70, 1 + (mixed >> 8) % 12, 1 + (mixed >> 16) % 28
    stem = f"999{number // 1000 % 1000:03d}{year}{month:02d}{date:02d}{number % 1000:03d}"
    resident = number % 3 == 2
    remote = remote_every > 0 and number % remote_every == remote_every - 1
    return Person(
        number=number,
        psn_no=f"5108{number:016d}",
        certno=stem + _check_digit(stem),
        name=f"{_SURNAMES[number % 16]}测试{number}",
        gend=str(2 - number % 2),
        brdy=f"{year}-{month:02d}-{date:02d}",
        insutype="390" if resident else "310",
        psn_type="15" if resident else "11",
        insuplc=ELSEWHERE[number // remote_every % len(ELSEWHERE)] if remote else AREA,
        civil_servant=number % 10 == 3,
        aided=number % 17 == 5,
        balance_fen=0 if resident else 50_000 + mixed % 400_000,
    )
