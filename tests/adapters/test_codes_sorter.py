"""Codes come back in the order of the store, whatever order they came in."""

from adapters.store.codes_sorter import CodesSorter


def test_codes_come_back_by_code_and_line() -> None:
    given = [(code, line, "") for line, code in enumerate(["B", "A|2", "甲", "A", "B", "a", "A|10", "\U00020000"])]
    given += [(f"C{number:05d}", number, "2026-12-31") for number in range(5000)]
    with CodesSorter() as sorter:
        for one in [*given[1::2], *given[::2]][::-1]:
            sorter.take(*one)
        assert list(sorter.in_order()) == sorted(given)
        assert len(list(sorter.in_order())) == len(given)
