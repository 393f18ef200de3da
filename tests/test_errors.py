from __future__ import annotations

import json

import pytest

from attrex import errors
from attrex.errors import AttrexError, did_you_mean, printable, short, short_path


@pytest.mark.parametrize("name", ["DataError", "SchemaError", "ConfigError", "CheckpointError"])
def test_one_root_catches_every_error(name: str):
    with pytest.raises(AttrexError, match="said so"):
        raise getattr(errors, name)("said so")


def test_the_nearest_word_is_suggested_and_only_a_near_one():
    assert did_you_mean("colour", ["size", "color"]) == "; did you mean 'color'?"
    assert did_you_mean("COLOUR", ["size", "Color"]) == "; did you mean 'Color'?"
    assert did_you_mean("colour", ["size", "fabric"]) == ""
    assert did_you_mean("colour", iter([])) == ""


# --- what came from somebody else is shown, and does nothing -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\u001b[31mred\u001b[0m"),
        ("\x9b2J", r"\u009b2J"),  # the same in one character, which terminals of 8 bits obey
        ("\x1b]8;;http://evil\x07click", r"\u001b]8;;http://evil\u0007click"),
        ("a\rb\x08\x7f\x00", r"a\u000db\u0008\u007f\u0000"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("a\U000e0041\ud83d", r"a\udb40\udc41\ud83d"),
        ("two\nlines\tüß 红 👩‍👧 ™", "two\nlines\tüß 红 👩‍👧 ™"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_printed(text: str, shown: str):
    assert printable(text) == shown
    assert printable(shown) == shown
    assert str(AttrexError(f"expected this, got {text}")) == f"expected this, got {shown}"
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


def test_a_long_message_keeps_its_beginning_and_its_advice():
    message = str(AttrexError("expected a word, got " + 10**6 * "x" + "; correct it"))
    assert len(message) < 8100
    assert message.startswith("expected a word, got xxx")
    assert message.endswith("xxx; correct it")


def test_a_value_is_shown_as_python_writes_it_and_cut():
    assert short({"a": [1, "x", None], "b": (1.5,)}) == "{'a': [1, 'x', None], 'b': (1.5,)}"
    assert short("x" * 90) == "'" + 79 * "x" + "..."
    assert short("x" * 50, 20) == "'" + 19 * "x" + "..."
    assert short("\x1b\u202e") == r"'\x1b\u202e'"
    assert short(b"\x1b") == r"b'\x1b'"


def test_a_value_that_would_take_forever_to_show_is_not_gone_through():
    bomb: list = ["lol"] * 9
    for _ in range(40):
        bomb = [bomb] * 9
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    own: dict = {}
    own["own"] = own
    for value in (bomb, deep, own, {"a": bomb}, "x" * 10**7, b"x" * 10**7, 10**5000, range(10**9), [10**5] * 10**6):
        assert len(short(value)) <= 83


def test_a_path_of_the_data_says_nothing_of_where_it_lies():
    assert short_path("/home/me/shop/photos/a.jpg") == ".../photos/a.jpg"
    assert short_path("photos/a.jpg") == "photos/a.jpg"
    assert short_path("a/b/c/d/e.jpg") == ".../d/e.jpg"
    assert short_path("x" * 500 + ".jpg", 20) == "..." + 16 * "x" + ".jpg"
