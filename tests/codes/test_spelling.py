"""Names are found by any piece of them and by their pinyin initials."""

import pytest

from gateway.codes.spelling import fits, initials, plain, question, words


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("阿莫西林胶囊", "amxljn"),
        ("重组人胰岛素注射液", "czrydszsy"),  # 重 of several readings, by its phrase
        ("一次性使用输液器(PVC)", "ycxsysyqpvc"),
        ("维生素Ｂ１２", "wssb12"),
        ("", ""),
        ("（ ）", ""),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_words_are_pairs_the_last_character_and_the_initials() -> None:
    assert words("输液器") == "输液 液器 器 q0syq"
    assert words("——") == ""


def test_a_question_asks_for_every_pair_or_for_initials() -> None:
    assert question("输液器") == '"输液" AND "液器"'
    assert question("液") == '"液"*'
    assert question("syq") == '("sy" AND "yq") OR "q0syq"*'
    assert question('"*') == ""


def test_what_fits() -> None:
    assert fits("液器", "一次性输液器")
    assert fits("YCXSYQ", "一次性输液器")
    assert not fits("syq", "一次性输液器")  # initials count from the beginning
    assert not fits("器液", "一次性输液器")
    assert not fits("", "一次性输液器")
    assert plain("Ｎａ Cl（注射用）") == "nacl注射用"
