from __future__ import annotations

import pytest
import yaml

from attrex.plain_yaml import load_plain, load_words


def test_words_stay_words_and_settings_are_typed():
    text = "size: 38\ncell: NO\nshare: 0.5"
    assert load_words(text) == {"size": "38", "cell": "NO", "share": "0.5"}
    assert load_plain(text) == {"size": 38, "cell": False, "share": 0.5}


def test_a_reference_may_repeat_what_a_person_wrote():
    assert load_words("a: &blank [na, none]\nb: *blank") == {"a": ["na", "none"], "b": ["na", "none"]}
    assert load_plain("a: &a {x: 1}\nb: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}
    assert load_words("a: &a x\nb: [*a, *a]") == {"a": "x", "b": ["x", "x"]}
    many = "a: &a [" + "x, " * 999 + "x]\nb: [" + "*a, " * 98 + "*a]"
    assert len(load_words(many)["b"]) == 99


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)),
            r"\*\w in line \d makes more than 100,000 values",
        ),
        ("a: &a [*a]", r"\*a in line 1 stands for what it is in itself"),
        ("a: &a\n  b: {c: *a}", r"\*a in line 2 stands for what it is in itself"),
        ("[" * 60, "at most 50 levels, got more in line 1"),
        ("{a: " * 100_000, "at most 50 levels"),
        ("\n".join(" " * n + "a:" for n in range(100)), "at most 50 levels, got more in line 51"),
        ("a: &a [" + "[" * 30 + "]" * 30 + "]\nb: " + "[" * 30 + "*a" + "]" * 30, "more than 50 levels"),
    ],
)
def test_what_no_person_writes_is_refused(text: str, words: str):
    for load in (load_words, load_plain):
        with pytest.raises(yaml.YAMLError, match=words):
            load(text)


@pytest.mark.parametrize("text", ["a: 2001-99-99", "a: " + "9" * 5000, "a: !!python/object/apply:os.system [x]"])
def test_values_that_cannot_be_read_are_errors_of_yaml(text: str):
    with pytest.raises(yaml.YAMLError):
        load_plain(text)
