"""Which characters nobody sees, and what a word is without them."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrex.characters import IGNORABLE, caseless, composed, visible, with_closing, without_symbols, word_of


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Na\u200bvy", "Navy"),  # zero-width space
        ("\ufeffNavy\u2060", "Navy"),  # byte order mark, word joiner
        ("\u202eNavy\u202c \u2066Blue\u2069", "Navy Blue"),  # bidi
        ("Na\x00vy\x7f", "Navy"),
        ("Nav\u200dy\u00ad", "Navy"),  # a joiner between Latin letters changes nothing
        ("\x1b[1;31mNavy\x1b[0m", "Navy"),  # a terminal's colours
        ("\x1b]8;;http://x\x07Navy\x1b]8;;\x1b\\", "Navy"),  # and its links
        ("Na\x1bvy", "Navy"),
        ("\u3164Navy\U000e0041", "Navy"),  # Hangul filler, tag
        ("Navy\r\nBlue\u2028and\x1cRed", "Navy\r\nBlue and Red"),
        (" Navy\u00a0", "Navy"),
        ("\u200b", ""),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is spelt with it
        ("❤\ufe0f 👩\u200d🚀", "❤\ufe0f 👩\u200d🚀"),
        ("Blue", "Blue"),
    ],
)
def test_a_word_is_written_without_what_nobody_sees(text: str, word: str) -> None:
    assert visible(text) == word


def test_the_list_has_every_control_that_is_no_space() -> None:
    controls = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cc" and not chr(c).isspace()]
    assert [c for c in controls if not IGNORABLE.fullmatch(c)] == []


def test_the_list_has_nothing_that_is_seen() -> None:
    """But for fillers, letters by name only, ignorable characters are controls, formats, marks or unassigned."""
    seen = {
        chr(c)
        for c in range(0x110000)
        if IGNORABLE.fullmatch(chr(c)) and unicodedata.category(chr(c)) not in ("Cc", "Cf", "Mn", "Cn")
    }
    assert seen == {"\u115f", "\u1160", "\u3164", "\uffa0"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("✔Velmora", ["Velmora"]),
        ("■ Velmora ■", ["Velmora"]),
        ("→a→b→", ["a", "b"]),
        ("👩‍🚀Red❤️", ["Red"]),
        ("1️⃣Cotton", ["Cotton"]),
        ("•Cotton • Silk", ["Cotton", "Silk"]),
        ("\uf0b7Wool", ["Wool"]),  # an icon of a font
        ("Nike® Air™", ["Nike® Air"]),
        ("×Velmora×", ["Velmora"]),
        ("①Velmora ❷ cotton⑶", ["Velmora", "cotton"]),
        ("Velmora¹²", ["Velmora"]),  # footnotes
        ("5 m²", ["5 m²"]),
        ("5 inch²", ["5 inch²"]),
        ("10×15 cm", ["10×15 cm"]),
        ("±5 °C", ["±5 °C"]),
        ("40°", ["40°"]),
        ("⌀ 12 cm", ["⌀ 12 cm"]),
        ("€50", ["€50"]),
        ("㎏ 30℃", ["㎏ 30℃"]),
        ("½", ["½"]),
        ("路易·威登", ["路易·威登"]),
        ("\u200bNa\u200bvy\u200b", ["Na\u200bvy"]),
        ("...", []),
        ("✔", []),
        ("", []),
    ],
)
def test_a_symbol_is_no_part_of_a_value(text: str, values: list[str]) -> None:
    padded = f"ab{text}cd"
    assert [padded[a:b] for a, b in without_symbols(padded, 2, 2 + len(text))] == values


@pytest.mark.parametrize(
    ("text", "word"), [("Nike® Air", "Nike Air"), ("Na\u200bvy\n Blue", "Navy Blue"), ("™", "™"), ("C++", "C++")]
)
def test_the_word_of_what_a_text_says(text: str, word: str) -> None:
    assert word_of(text) == word


def test_the_letters_i_of_turkish_are_one_without_case() -> None:
    assert caseless("IŞIK") == caseless("ışık")
    assert caseless("İPEK") == caseless("ipek") == caseless("IPEK")


@pytest.mark.parametrize(
    ("text", "found", "whole"),
    [
        ("A 80 Ounce Bag (5 pound), ground", "80 Ounce Bag (5 pound", "80 Ounce Bag (5 pound)"),
        ("Bag (5 [2 x] pound) (new)", "Bag (5 [2 x] pound", "Bag (5 [2 x] pound)"),
        ("Bag (new)", "new", "new"),  # opened in front of it
        ("Bag (new) large", "Bag (new", "Bag (new)"),
        ("Bag (new) large)", "Bag (new) large", "Bag (new) large"),
        ("Bag (new]", "Bag (new", "Bag (new"),
        ("Bag (new", "Bag (new", "Bag (new"),
        ("颜色（红）", "颜色（红", "颜色（红）"),
    ],
)
def test_a_bracket_that_is_opened_in_a_find_closes_it(text: str, found: str, whole: str) -> None:
    start = text.index(found)
    assert text[start : with_closing(text, start, start + len(found))] == whole


# --- letters that are written in parts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "whole", "begins"),
    [
        ("ho\u0302\u0300ng", "hồng", [0, 1, 4, 5, 6]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8!", "한국!", [0, 3, 6, 7]),
        ("a\u0323\u0307b", "ạ\u0307b", [0, 2, 3, 4]),  # one mark is left
        ("a\u0301\u0323", "ạ\u0301", [0, 2, 3]),
        ("\u30cf\u3099\u30c3", "バッ", [0, 2, 3]),
        ("A\u030a \u212b", "Å Å", [0, 2, 3, 4]),
        ("e\u0301\u0958", "é\u0958", [0, 2, 3]),  # NFC would write the second with two
        ("hồng", "hồng", None),
        ("q\u0301", "q\u0301", None),  # there is no such letter
        ("", "", None),
    ],
)
def test_letters_are_made_whole_and_know_where_they_stood(text: str, whole: str, begins: list[int] | None) -> None:
    assert composed(text) == (whole, begins)


PARTS = "aoqê\u0302\u0300\u0323\u0301ก้ำ\u1112\u1161\u11abカ\u3099\u0344ａ \u200b한क\u093c"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.sampled_from(PARTS), max_size=12))
def test_each_whole_letter_is_what_the_text_says_at_its_place(text: str) -> None:
    whole, begins = composed(text)
    places = list(range(len(text) + 1)) if begins is None else begins
    assert len(places) == len(whole) + 1
    assert (places[0], places[-1]) == (0, len(text))
    assert all(a < b for a, b in pairwise(places))
    assert unicodedata.normalize("NFC", whole) == unicodedata.normalize("NFC", text)
