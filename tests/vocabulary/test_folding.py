"""Words of texts that were made to hide them, or to take long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from attrex.characters import without_symbols
from attrex.encoding.reading import readable
from attrex.vocabulary.folding import FoldedText, Folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Na\u200bvy \u200bblue", ["navy", "blue"]),
        ("\x1b[1;31mNavy\x1b[0m", ["navy"]),
        ("Velmora™ Velmora®", ["velmora", "", "velmora", ""]),
        ("İPEK ışık", ["ipek", "işik"]),
        ("Ｎａｖｙ", ["navy"]),
        ("ผ้าฝ้าย", ["ผ้า", "ฝ้า", "ย"]),
        ("ຜ້າຝ້າຍ", ["ຜ້າ", "ຝ້າ", "ຍ"]),
        ("កខ្មែរ", ["ក", "ខ្មែ", "រ"]),
        ("မြန်မာ", ["မြန်", "မာ"]),
        ("हिन्दी", ["हिन्दी"]),
        ("5\u200b0 ways", ["50", "way"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert Folder().split(text) == words
    assert [word for word, _, _ in FoldedText(text, Folder()).words()] == words


def test_words_apart_are_found_beside_what_is_unseen() -> None:
    folder = Folder(join_words=False)
    text = "\u200bNavy\u200b blue"
    assert [text[a:b] for a, b in FoldedText(text, folder).find(folder.fold("navy blue"))] == ["Navy\u200b blue"]


@pytest.mark.parametrize("piece", ["\u200b", "1\u200b", "a\u0301\u200b", "\x1b[", "\x1b]", "é✔", "ก", "'\u200b"])
def test_hostile_texts_take_no_longer_each(growth: Callable[..., float], piece: str) -> None:
    def run(n: int) -> None:
        text = piece * n
        FoldedText(text, Folder())
        readable(text, words=True)
        list(without_symbols(text, 0, len(text)))

    assert growth(run, 5_000) < 9


def test_an_unseen_character_within_a_number_does_not_make_another_one() -> None:
    folder, text = Folder(), "5\u200b0 ml"
    assert list(FoldedText(text, folder).find(folder.fold("50 ml"))) == [(0, len(text))]
    assert not list(FoldedText(text, folder).find(folder.fold("0 ml")))
