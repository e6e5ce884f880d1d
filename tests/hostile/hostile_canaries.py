"""Two hundred values that must never rest anywhere in clear, and the search for them.

Invented: identity numbers begin with 999, which no real one does, but have the right check digit (GB 11643), so that
a redactor sees what it would see in life.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from simulators.people import Person, person

FIRST_PERSON, PERSONS = 1000, 20
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RARE = "鬻黼黻鼹齉龠龢龘靐麤灪爨癵籱驫鱻鸞麣齾龖"


def _digits(seed: str, how_many: int) -> str:
    return str(int.from_bytes(hashlib.sha256(seed.encode()).digest()))[:how_many]


def _identity(number: int) -> str:
    stem = f"999{_digits(f'place{number}', 3)}19{50 + number % 50}0{1 + number % 9}1{number % 10}{number % 1000:03d}"
    return stem + "10X98765432"[sum(int(d) * w for d, w in zip(stem, _WEIGHTS, strict=True)) % 11]


def _name(number: int) -> str:
    return (
        "欧阳司马"[number % 2 * 2 : number % 2 * 2 + 2]
        + _RARE[number % 20]
        + _RARE[(number * 7 + number // 20 + 1) % 20]
    )


def _token(number: int) -> str:
    return base64.b64encode(hashlib.sha256(f"token{number}".encode()).digest())[:40].decode()


@attrs.define(eq=False)
class Canaries:
    """All values by kind; `draw` takes them in turn."""

    people: list[Person]
    kinds: dict[str, list[str]]
    drawn: dict[str, int]

    @classmethod
    def hatch(cls) -> "Canaries":
        people = [person(number) for number in range(FIRST_PERSON, FIRST_PERSON + PERSONS)]
        kinds = {
            "name": [_name(number) for number in range(30)],
            "identity": [_identity(number) for number in range(30)],
            "phone": [f"1{3 + number % 7}{_digits(f'phone{number}', 9)}" for number in range(25)],
            "card": [hashlib.sha256(f"card{number}".encode()).hexdigest()[:32].upper() for number in range(25)],
            "token": [_token(number) for number in range(25)],
            "account": [f"62{_digits(f'account{number}', 17)}" for number in range(25)],
        }
        return cls(people, kinds, dict.fromkeys(kinds, 0))

    def draw(self, kind: str) -> str:
        values = self.kinds[kind]
        self.drawn[kind] += 1
        return values[(self.drawn[kind] - 1) % len(values)]

    def unused(self) -> list[str]:
        return [kind for kind, values in self.kinds.items() if self.drawn[kind] < len(values)]

    def all(self) -> list[str]:
        return [*(one.name for one in self.people), *(one.certno for one in self.people), *_flat(self.kinds.values())]

    def laden(self) -> dict[str, str]:
        """Fields that carry persons and vouchers, under the names they have in the interface."""
        return {
            "psn_name": self.draw("name"),
            "certno": self.draw("identity"),
            "mdtrt_cert_no": self.draw("token"),
            "card_sn": self.draw("card"),
            "tel": self.draw("phone"),
            "ecToken": self.draw("token"),
            "ecQrCode": self.draw("token"),
            "auth_no": self.draw("card"),
            "payAuthNo": self.draw("token"),
            "payToken": self.draw("token"),
            "revsToken": self.draw("token"),
            "psn_cert_photo": self.draw("token"),
            "bank_acct": self.draw("account"),
            "coner_name": self.draw("name"),
            "coner_tel": self.draw("phone"),
            "addr": f"示例路{self.draw('name')}宅",
        }

    def sentence(self) -> str:
        """What a platform might write into err_msg."""
        name, certno, phone = self.draw("name"), self.draw("identity"), self.draw("phone")
        return (
            f"参保人{name}（身份证{certno}，手机{phone}，卡{self.draw('card')}，账号{self.draw('account')}）待遇未享受"
        )


def _flat(lists: Iterable[list[str]]) -> Iterator[str]:
    for values in lists:
        yield from values


def forms(value: str) -> set[bytes]:
    """How a value might lie somewhere: as it is, escaped, in another charset, in hex, in base64."""
    plain = value.encode()
    return {
        plain,
        value.encode("gb18030"),
        value.encode("utf-16-le"),
        json.dumps(value)[1:-1].encode(),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        base64.b64encode(plain).rstrip(b"="),
    }


def hits(content: bytes, values: Iterable[str]) -> list[str]:
    """Values that stand in content in any form."""
    return [value for value in values if any(form in content for form in forms(value))]


def files(*folders: Path) -> dict[str, bytes]:
    """Every regular file under the folders."""
    return {str(path): path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}
