from __future__ import annotations

import pytest

from attrex.errors import ConfigError
from attrex.shop.shop import Shop
from attrex.vocabulary.folding import Folder
from attrex.vocabulary.word_lists import ENGLISH, WordLists, known_languages, load_language


def test_every_language_that_is_shipped_can_be_read() -> None:
    assert known_languages() == ["de", "en", "es", "fr", "tr"]
    assert all(load_language(name).conjunctions for name in known_languages())
    assert load_language("es").conjunctions == ("y", "e", "con")  # words, not truths


def test_english_is_the_default_and_has_no_shops_words() -> None:
    assert ENGLISH.aliases == {}
    assert (ENGLISH.word_forms["colour"], ENGLISH.negations) == ("color", ("not",))
    folder = Folder.of()
    assert folder.fold("gray women's scarves") == folder.fold("Grey woman scarf")
    assert folder.fold("tee") != folder.fold("tshirt")


def test_a_shops_words_come_before_its_languages_the_first_language_before_the_second() -> None:
    words = WordLists.of(Shop(languages=("de", "en"), word_forms={"gray": "silver"}, aliases={"a": ("b",)}))
    assert (words.word_forms["gray"], words.word_forms["&"], words.word_forms["men"]) == ("silver", "und", "man")
    assert words.negations == ("nicht", "kein", "keine", "ohne", "not")
    assert (words.conjunctions, words.aliases) == (("und", "mit", "and", "with"), {"a": ("b",)})


def test_a_language_without_a_rule_of_inflection_keeps_its_endings() -> None:
    german = WordLists.of(Shop(languages=("de",)))
    assert Folder.of(words=german).fold("Kleids Men's") == "kleidsmen's"
    assert Folder.of(words=WordLists.of(Shop(languages=()))).fold("Dresses & co") == "dresses&co"


def test_word_forms_may_be_written_in_any_case_and_number() -> None:
    assert Folder(word_forms={"Tees": "tshirt"}).fold("a tee") == "atshirt"


def test_a_language_without_a_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"languages: no word lists of 'xx'; there are de, en, es, fr, tr"):
        WordLists.of(Shop(languages=("xx",)))
