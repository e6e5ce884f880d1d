"""Pictures for reports as inline SVG: no script, nothing from outside, legible in black and white.

Shapes are made as elements, so every text is escaped by the library that writes them.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

import attrs
from markupsafe import Markup

WIDTH = 720
DARK, PALE, BAD, LINE, GREY = "#1f5f99", "#a9c6e0", "#b3261e", "#b3261e", "#8a8f98"
STYLES = ((DARK, ""), ("#3d7a3a", "6 3"), ("#8a5a00", "2 3"))  # colour and dashes of a line of the trend


@attrs.frozen
class Bar:
    """One pair of bars. parts: (hundredths of a percent, its text, whether it misses the target) of each."""

    label: str
    parts: tuple[tuple[int, str, bool], ...]


@attrs.frozen
class Curve:
    """One line of a trend: hundredths of a percent by month, None where there is nothing to divide."""

    label: str
    values: tuple[int | None, ...]


def bars(title: str, legend: Sequence[str], rows: Sequence[Bar], target: int) -> Markup:
    """Draw horizontal bars from 0 to 100 % against the target's line. target: hundredths of a percent."""
    left, right, top, step = 190, 150, 46, 40
    height = top + step * len(rows) + 24
    picture = _svg(height, title)
    scale = (WIDTH - left - right) / 10_000
    for number, text in enumerate(legend):
        _rect(picture, left + 130 * number, 10, 12, 12, DARK if number else PALE)
        _text(picture, left + 130 * number + 18, 21, text)
    for percent in (0, 25, 50, 75, 100):
        x = left + percent * 100 * scale
        _line(picture, x, top - 6, x, height - 20, "#d9dde3")
        _text(picture, x, height - 6, f"{percent}%", "middle", GREY)
    for number, row in enumerate(rows):
        y = float(top + step * number)
        _text(picture, left - 10, y + 20, row.label, "end")
        for part, (value, text, missed) in enumerate(row.parts):
            _rect(picture, left, y + 13 * part + 2, max(1.0, value * scale), 11, DARK if part else PALE)
            mark = f"{text} 未达标" if missed else text
            _text(picture, WIDTH - right + 10, y + 13 * part + 12, mark, "start", BAD if missed else "#222", 12)
    x = left + target * scale
    _line(picture, x, top - 8, x, height - 20, LINE, "5 3")
    _text(picture, x, top - 12, f"{_percent(target)}", "middle", LINE, 12)
    return _markup(picture)


def trend(title: str, months: Sequence[str], curves: Sequence[Curve], target: int) -> Markup:
    """Draw lines by month against the target's line. The scale starts at the lowest ten percent that holds them all."""
    left, right, top, bottom, height = 60, 150, 24, 34, 260
    picture = _svg(height, title)
    known = [value for curve in curves for value in curve.values if value is not None]
    low = min([*known, 9_000]) // 1_000 * 1_000
    span = 10_000 - low

    def at(number: int, value: int) -> tuple[float, float]:
        x = left + (WIDTH - left - right) * (number + 0.5) / max(1, len(months))
        return x, top + (height - top - bottom) * (10_000 - value) / span

    for value in range(low, 10_001, 200 if span <= 1_000 else 1_000 if span <= 5_000 else 2_000):
        y = at(0, value)[1]
        _line(picture, left, y, WIDTH - right, y, "#d9dde3")
        _text(picture, left - 8, y + 4, f"{value // 100}%", "end", GREY)
    for number, month in enumerate(months):
        _text(picture, at(number, low)[0], height - 12, month, "middle", GREY)
    y = at(0, target)[1]
    _line(picture, left, y, WIDTH - right, y, LINE, "5 3")
    _text(picture, left + 4, y - 5, _percent(target), "start", LINE, 12)
    for number, curve in enumerate(curves):
        colour, dashes = STYLES[number % len(STYLES)]
        points = [at(month, value) for month, value in enumerate(curve.values) if value is not None]
        if points:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            extra = {"stroke-dasharray": dashes} if dashes else {}
            _add(picture, "polyline", points=line, fill="none", stroke=colour, **{"stroke-width": "2"}, **extra)
        for x, y in points:
            _add(picture, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colour)
        beside = top + 20.0 * number + 10
        _line(picture, WIDTH - right + 12, beside, WIDTH - right + 40, beside, colour, dashes, 2)
        _text(picture, WIDTH - right + 46, beside + 4, curve.label)
    return _markup(picture)


@attrs.frozen
class Stack:
    """One bar of parts. parts: a count for each name of the legend."""

    label: str
    parts: tuple[int, ...]


# From what nobody began to what is done, then what came back: told apart by lightness too.
STACK_FILLS = ("#e8eaed", "#f0c987", "#a9c6e0", "#6aa0d0", "#1f5f99", "#d98880", "#b3261e", "#6b7078")
_ON_DARK = frozenset({"#1f5f99", "#b3261e", "#6b7078"})


def stacks(title: str, legend: Sequence[str], rows: Sequence[Stack]) -> Markup:
    """Draw horizontal bars of counts, all on one scale; what is wide enough has its count in it."""
    left, right, top, step = 190, 60, 66, 30
    height = top + step * len(rows) + 6
    picture = _svg(height, title)
    for number, text in enumerate(legend):
        column, line = 20 + 175 * (number % 4), 8 + 24 * (number // 4)
        place = {"x": f"{column}", "y": f"{line}", "width": "13", "height": "13"}
        _add(picture, "rect", fill=STACK_FILLS[number], stroke=GREY, **place)
        _text(picture, column + 19, line + 12, text)
    scale = (WIDTH - left - right) / max([1, *(sum(row.parts) for row in rows)])
    for number, row in enumerate(rows):
        x, y = float(left), float(top + step * number)
        _text(picture, left - 10, y + 15, row.label, "end")
        for part, count in enumerate(row.parts):
            if count:
                fill = STACK_FILLS[part]
                places = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{count * scale:.1f}", "height": "21"}
                _add(picture, "rect", fill=fill, stroke="#ffffff", **places)
                if count * scale >= 9 * len(str(count)) + 4:
                    middle, ink = x + count * scale / 2, "#ffffff" if fill in _ON_DARK else "#222"
                    _text(picture, middle, y + 15, str(count), "middle", ink, 12)
                x += count * scale
        _text(picture, x + 8, y + 15, str(sum(row.parts)))
    return _markup(picture)


@attrs.frozen
class Share:
    """One part of a whole. amount: what its length shows; text: its figure."""

    label: str
    amount: int
    text: str


def shares(title: str, rows: Sequence[Share]) -> Markup:
    """Draw each part as a bar, as long as its share of the largest; negative ones are empty and say their figure."""
    left, right, step = 150, 190, 24
    picture = _svg(14 + step * len(rows), title)
    most = max([1, *(row.amount for row in rows)])
    for number, row in enumerate(rows):
        y = float(8 + step * number)
        _text(picture, left - 10, y + 13, row.label, "end")
        length = max(0.0, row.amount / most) * (WIDTH - left - right)
        _rect(picture, left, y, max(1.0, length), 16, DARK if number % 2 == 0 else PALE)
        _text(picture, WIDTH - right + 10, y + 13, row.text, "start", BAD if row.amount < 0 else "#222", 12)
    return _markup(picture)


def columns(title: str, labels: Sequence[str], values: Sequence[int]) -> Markup:
    """Draw one column for each label, the largest with its number; no column where there is nothing."""
    left, top, height = 20, 24, 150
    picture = _svg(height + 26, title)
    most, width = max([1, *values]), (WIDTH - 2 * left) / max(1, len(values))
    _line(picture, left, height, WIDTH - left, height, GREY)
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, tall = left + width * number, max(0, value) / most * (height - top)
        if value > 0:
            _rect(picture, x + width * 0.15, height - tall, width * 0.7, tall, DARK)
        if value == most:
            _text(picture, x + width / 2, height - tall - 5, str(value), "middle", DARK, 12)
        _text(picture, x + width / 2, height + 16, label, "middle", GREY, 11)
    return _markup(picture)


def _percent(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}%".replace(".00%", "%")


def _svg(height: int, title: str) -> ElementTree.Element:
    box = f"0 0 {WIDTH} {height}"
    picture = ElementTree.Element("svg", {"viewBox": box, "role": "img", "aria-label": title, "class": "picture"})
    ElementTree.SubElement(picture, "title").text = title
    return picture


def _add(picture: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(picture, tag, attributes)


def _rect(picture: ElementTree.Element, x: float, y: float, width: float, height: float, fill: str) -> None:
    _add(picture, "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", fill=fill)


def _line(
    picture: ElementTree.Element,
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str,
    dashes: str = "",
    width: int = 1,
) -> None:
    extra = {"stroke-dasharray": dashes} if dashes else {}
    places = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    _add(picture, "line", stroke=colour, **places, **{"stroke-width": str(width)}, **extra)


def _text(
    picture: ElementTree.Element,
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    fill: str = "#222",
    size: int = 13,
) -> None:
    shape = _add(
        picture, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=fill, **{"text-anchor": anchor, "font-size": str(size)}
    )
    shape.text = text


def _markup(picture: ElementTree.Element) -> Markup:
    return Markup(ElementTree.tostring(picture, encoding="unicode"))  # noqa: S704 - escaped by ElementTree
