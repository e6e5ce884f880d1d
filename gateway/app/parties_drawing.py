"""The day as a picture: the parties as boxes, the legs as lines that show how they stand, with counts and yuan.

Style and sign say the state, colour only repeats it: agreed is a thick line with ＝, open dashed with ≠, waiting dotted
with …, not compared a thin grey line with －. So it reads in black and white.
"""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import attrs
from markupsafe import Markup

from gateway.app.day_words import LEGS, LOOKS, PARTIES, PARTY_STATES, money
from gateway.books.report import ASIDE, Count, DayReport, Leg, Party, Standing

WIDTH, HEIGHT = 1128, 244
_BOX, _GAP, _TOP, _TALL = 136, 110, 128, 92
_ARC = 46  # where the line of leg L1 runs
_INK = {"agreed": "#1f6b3a", "open": "#b3261e", "waiting": "#8a5a00", "off": "#8a8f98"}
_DASH = {"agreed": "", "open": "10 6", "waiting": "2 6", "off": ""}
_THICK = {"agreed": 4, "open": 3, "waiting": 3, "off": 1}
_SIGN = {"agreed": "＝", "open": "≠", "waiting": "…", "off": "－"}
_SHORT: Mapping[Standing, str] = {"waiting": "等待", "withheld": "账不全", "carried": "结转"}
_PLACES = {name: at for at, name in enumerate(PARTIES)}


@attrs.frozen
class _Pen:
    """A picture being drawn."""

    picture: ElementTree.Element

    def add(self, tag: str, text: str = "", **attributes: str | int | float) -> None:
        plain = {name.replace("_", "-"): str(value) for name, value in attributes.items() if value != ""}
        ElementTree.SubElement(self.picture, tag, plain).text = text or None

    def text(self, x: float, y: float, text: str, size: int = 13, fill: str = "#1c1e21", bold: bool = False) -> None:
        weight = "600" if bold else ""
        self.add("text", text, x=x, y=y, fill=fill, text_anchor="middle", font_size=size, font_weight=weight)

    def sign(self, x: float, y: float, look: str) -> None:
        self.add("circle", cx=x, cy=y, r=11, fill="#fff", stroke=_INK[look], stroke_width=2)
        self.text(x, y + 5, _SIGN[look], 14, _INK[look], bold=True)

    def line(self, points: Sequence[tuple[float, float]], look: str) -> None:
        path = " ".join(f"{x},{y}" for x, y in points)
        self.add(
            "polyline", points=path, fill="none", stroke=_INK[look], stroke_width=_THICK[look],
            stroke_dasharray=_DASH[look],
        )  # fmt: skip


def parties_drawing(report: DayReport) -> Markup:
    """Draw the day."""
    says = describe(report)
    box = f"0 0 {WIDTH} {HEIGHT}"
    picture = ElementTree.Element("svg", {"viewBox": box, "role": "img", "aria-label": says, "class": "picture"})
    ElementTree.SubElement(picture, "title").text = "各方与各段"
    ElementTree.SubElement(picture, "desc").text = says
    pen = _Pen(picture)
    _first_leg(pen, report.legs["L1"])
    _between(pen, "AGY", "PROV", report.legs.get(ASIDE) or report.legs["L2"])
    _between(pen, "PROV", "INS", report.legs["L4"])
    for party in report.parties:
        _box(pen, party)
    return Markup(ElementTree.tostring(picture, encoding="unicode"))  # noqa: S704 - escaped by ElementTree


def _left(name: str) -> float:
    return 4.0 + _PLACES[name] * (_BOX + _GAP)


def _box(pen: _Pen, party: Party) -> None:
    x, there = _left(party.name), party.state != "missing"
    ink = "#1c1e21" if there else _INK["off"]
    pen.add(
        "rect", x=x, y=_TOP, width=_BOX, height=_TALL, rx=6, fill="#eef3f8" if there else "#fff", stroke=ink,
        stroke_width=1.5, stroke_dasharray="" if there else "4 4",
    )  # fmt: skip
    middle = x + _BOX / 2
    pen.text(middle, _TOP + 22, PARTIES[party.name], 15, ink, bold=True)
    bad = party.state == "incomplete"
    files = f"{party.files}份" if party.files > 1 else ""
    pen.text(middle, _TOP + 42, f"{PARTY_STATES[party.state]}{files}", 12, _INK["open"] if bad else "#4a4f57")
    if there:
        pen.text(middle, _TOP + 62, f"{party.rows:,}行", 12)
        if "medfee_sumamt" in party.sums:
            pen.text(middle, _TOP + 80, f"{money(party.sums['medfee_sumamt'])}元", 12)


def _first_leg(pen: _Pen, leg: Leg) -> None:
    """Leg L1 goes over the gateway; what institution and gateway disagree on stands between them."""
    start, end = _left("INST") + _BOX / 2, _left("AGY") + _BOX / 2
    pen.line([(start, _TOP), (start, _ARC), (end, _ARC), (end, _TOP)], leg.look)
    middle = (start + end) / 2
    pen.sign(middle, _ARC, leg.look)
    pen.text(middle, _ARC - 22, f"{LEGS['L1']}：{LOOKS[leg.look]}", 14, _INK[leg.look], bold=True)
    told = _told(leg)
    for number, text in enumerate((told[:2], told[2:])):
        pen.text(middle, _ARC + 32 + 18 * number, "　".join(text), 12)
    look = "off" if not leg.on else "open" if leg.inside.lines else "agreed"
    inside = [f"不符{leg.inside.lines:,}条", f"{money(leg.inside.fen)}元"] if leg.inside.lines else []
    _line(pen, "INST", "GW", look, ["L0（L1之内）", *(inside or [_same(leg)])])
    _line(pen, "GW", "AGY", leg.look if leg.look == "off" else _other(leg), [])


def _same(leg: Leg) -> str:
    return "没有不符" if leg.on else LOOKS["off"]


def _other(leg: Leg) -> str:
    """How gateway and agency stand: what is open on L1 and not inside institution and gateway."""
    outside = leg.counts["open"].lines + leg.counts["waiting"].lines + leg.counts["withheld"].lines
    return leg.look if outside > leg.inside.lines or leg.look == "agreed" else "agreed"


def _between(pen: _Pen, one: str, other: str, leg: Leg) -> None:
    name = LEGS[leg.name].split()[0]
    _line(pen, one, other, leg.look, [f"{name} {LOOKS[leg.look]}", *_told(leg)])


def _line(pen: _Pen, one: str, other: str, look: str, texts: Sequence[str]) -> None:
    """Draw between two neighbours; the state stands over the line, counts below the boxes' edge."""
    start, end, y = _left(one) + _BOX, _left(other), _TOP + _TALL / 2
    pen.line([(start, y), (end, y)], look)
    middle = (start + end) / 2
    pen.sign(middle, y, look)
    for number, text in enumerate(texts):
        if number == 0:
            pen.text(middle, y - 20, text, 13, _INK[look], bold=True)
        else:
            pen.text(middle, y + 28 + 17 * (number - 1), text, 12)


def _told(leg: Leg) -> list[str]:
    """Return the lines of numbers of a leg."""
    if not leg.on:
        return []
    lines = [] if leg.agreed is None else [f"一致{leg.agreed[0]:,}笔", f"{money(leg.agreed[1])}元"]
    lines += [_amount("未平", leg.counts["open"])] if leg.counts["open"].lines else []
    if leg.apart is not None and leg.apart.lines:
        lines += [f"不同{leg.apart.lines:,}笔 {money(leg.apart.fen)}元"]
    rest: Sequence[Standing] = ("waiting", "withheld", "carried")
    return lines + [f"{_SHORT[name]}{leg.counts[name].lines:,}条" for name in rest if leg.counts[name].lines]


def _amount(word: str, count: Count) -> str:
    return f"{word}{count.lines:,}条 {money(count.fen)}元"


def describe(report: DayReport) -> str:
    """Return the picture in words, for whoever does not see it."""
    parties = "，".join(
        f"{PARTIES[one.name]}{PARTY_STATES[one.state]}" + (f"{one.rows}行" if one.files else "")
        for one in report.parties
    )
    legs: Mapping[str, str] = {
        name: f"{LEGS[name]}{LOOKS[leg.look]}" + "".join(f"，{text}" for text in _told(leg))
        for name, leg in report.legs.items()
    }
    return f"各方：{parties}。各段：{'；'.join(legs.values())}。"
