from __future__ import annotations

from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.vocabulary.lexicon import FormStats, Lexicon, Vocabulary


def test_a_lexicon_is_saved_as_yaml_that_a_person_can_edit(tmp_path: Path) -> None:
    fit = Vocabulary(
        accepted={"Regular Fit": {"regular fit": FormStats(88, 0.93, 1.0), "no": FormStats(3, 1.0)}},
        headed={"": {"comfort": FormStats(629, 0.9)}},
        suggested={"Slim Fit": {"slim": FormStats(40, 0.68)}},
        headings={"fitting": FormStats(1262, 0.677)},
        categories=("Shirts",),
    )
    colour = Vocabulary(modifiers={"dark": FormStats(60, 0.5)}, parts={"zinc": FormStats(5, 1.0)})
    lexicon = Lexicon({"Fit": fit, "Colour": colour})
    lexicon.save(tmp_path / "lexicon.yaml")
    page = (tmp_path / "lexicon.yaml").read_text()
    assert "    Slim Fit:\n      slim: [40, 0.68]\n" in page
    assert page.startswith("# What the texts call the values of the table")
    assert Lexicon.load(tmp_path / "lexicon.yaml") == lexicon
    (tmp_path / "edited.yaml").write_text(page.replace("  suggested:\n    Slim Fit:", "    Slim Fit:"))
    # under `headed` now, which came before it
    assert Lexicon.load(tmp_path / "edited.yaml").attributes["Fit"].headed["Slim Fit"] == {"slim": FormStats(40, 0.68)}


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("Fit: {acepted: {}}", "Fit has an unknown section 'acepted'; did you mean 'accepted'?"),
        ("Fit: [a]", "Fit should be a mapping such as {name: ...}, found ['a']"),
        ("- Fit", "the lexicon should be a mapping such as {name: ...}, found ['Fit']"),
        ("Fit: {accepted: {Slim: [slim]}}", "accepted of Fit, 'Slim' should be a mapping"),
        (
            "Fit: {accepted: {Slim: {slim: often}}}",
            "accepted of Fit, 'Slim': 'slim' should be [support, precision] such as [12, 0.95], found 'often'",
        ),
        ("Fit: {headings: {fit: [5, null]}}", "headings of Fit: 'fit' should be [support, precision]"),
        ("Fit: {headings: {fit: [5]}}", "headings of Fit: 'fit' should be [support, precision]"),
        ("Fit: {categories: Shirts}", "categories of Fit should be a list such as [Shoes, Bags], found 'Shirts'"),
        ("Fit: [", "is not YAML"),
    ],
)
def test_a_wrong_lexicon_says_what_is_wrong(tmp_path: Path, yaml: str, message: str) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_text(yaml)
    with pytest.raises(DataError) as exc:
        Lexicon.load(path)
    assert message in str(exc.value)
    assert str(path) in str(exc.value)


def test_a_missing_lexicon_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no lexicon .*gone\.yaml; `attrex locate TABLE --out FILE --mine"):
        Lexicon.load(tmp_path / "gone.yaml")
