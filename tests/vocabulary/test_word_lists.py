from __future__ import annotations

from pathlib import Path

import pytest

from attrex.errors import ConfigError
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
    words = WordLists.of(["de", "en"], word_forms={"gray": "silver"})
    assert (words.word_forms["gray"], words.word_forms["&"], words.word_forms["men"]) == ("silver", "und", "man")
    assert words.negations == ("nicht", "kein", "keine", "ohne", "not")
    assert (words.inflection, WordLists.of(["de"]).inflection) == ("english", None)
    assert Folder.of(words=WordLists.of(["de"])).fold("Kleids") == "kleids"


def test_word_forms_may_be_written_in_any_case_and_number() -> None:
    assert Folder(word_forms={"Tees": "tshirt"}).fold("a tee") == "atshirt"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("language: [en]", "unknown key 'language'; did you mean 'languages'?"),
        ("languages: [xx]", "no word lists of the language 'xx'; there are de, en, es, fr, tr"),
        ("languages: en", "languages should be a list of words such as [a, b], found 'en'"),
        ("word_forms: [a]", "word_forms should be a mapping"),
        ("word_forms: {a: [b]}", "word_forms should name one word for each"),
        ("aliases: {bag: sack}", "aliases of 'bag' should be a list of words such as [a, b], found 'sack'"),
        ("[", "is not YAML"),
        ("- a", "should be a mapping with any of languages, word_forms, aliases"),
    ],
)
def test_a_file_at_fault_is_refused(body: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(body)
    with pytest.raises(ConfigError) as error:
        WordLists.load(path)
    assert message in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file .*none\.yaml"):
        WordLists.load(tmp_path / "none.yaml")
