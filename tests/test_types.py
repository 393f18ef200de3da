from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrex.errors import DataError
from attrex.types import DECIDED_BY, CellState, Prediction, Product, RegionWeights, Span, Value, WordWeight

SHIRT = {"title": "Blue cotton shirt 👕", "text": "Long sleeve, blue."}
BLUE = Span("colour", 0, 4, "Blue", "title", value="Navy Blue")


def test_a_span_says_what_the_text_says():
    product = Product("1", SHIRT, spans=(BLUE, Span("type", 12, 19, "shirt 👕", "title")))
    assert all(product.fields[s.field][s.start : s.end] == s.text for s in product.spans)
    assert BLUE.key == ("colour", "title", 0, 4)


def test_a_span_that_the_text_does_not_say_is_refused_with_both_versions():
    with pytest.raises(DataError) as caught:
        Product("7", SHIRT, spans=(Span("colour", 1, 5, "Blue", "title"),))
    said = str(caught.value)
    assert said.startswith("product '7': span 'colour' 1:5 of 'title' should be 'Blue' but the text says 'lue '")
    assert said.endswith("offsets are characters (not bytes), end exclusive")


@pytest.mark.parametrize(("start", "end"), [(-4, -1), (3, 3), (5, 2)])
def test_offsets_count_from_the_start_and_hold_something(start: int, end: int):
    with pytest.raises(DataError, match="offsets are characters"):
        Product("7", SHIRT, spans=(Span("colour", start, end, SHIRT["title"][start:end], "title"),))


def test_a_span_in_a_field_that_is_not_there():
    with pytest.raises(DataError, match=r"span of 'colour' is in field 'text', but the product has \['title'\]"):
        Product("7", {"title": "Blue"}, spans=(Span("colour", 0, 4, "Blue"),))


@pytest.mark.parametrize(
    ("product", "state"),
    [
        (Product("1", SHIRT), CellState.BLANK),
        (Product("1", SHIRT, spans=()), CellState.BLANK),
        (Product("1", SHIRT, spans=(), complete=True), CellState.ABSENT),
        (Product("1", SHIRT, table={"colour": ()}), CellState.ABSENT),
        (Product("1", SHIRT, table={"colour": ("red",)}), CellState.NOT_LOCATED),
        (Product("1", SHIRT, table={"colour": ("red",)}, spans=(), complete=True), CellState.NOT_LOCATED),
        (Product("1", SHIRT, table={"colour": ("blue",)}, spans=(BLUE,)), CellState.LOCATED),
        (Product("1", SHIRT, spans=(BLUE,)), CellState.LOCATED),
    ],
)
def test_blank_absent_located_and_not_located_are_kept_apart(product: Product, state: CellState):
    assert product.cell_state("colour") is state


def test_photos_can_be_taken_away():
    product = Product("1", SHIRT, images=(b"photo",), spans=(BLUE,))
    bare = product.without_images()
    assert bare.images == ()
    assert (bare.id, bare.spans, product.images) == ("1", (BLUE,), (b"photo",))


def test_products_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Product("1", SHIRT).id = "2"  # type: ignore[misc]


def test_spans_in_json():
    assert Span("type", 12, 17, "shirt", "title").to_json() == {
        "attribute": "type",
        "field": "title",
        "start": 12,
        "end": 17,
        "text": "shirt",
    }
    assert BLUE.to_json()["value"] == "Navy Blue"


FOUR_DIGITS = st.integers(0, 10_000).map(lambda n: n / 10_000)
REGIONS = st.builds(
    RegionWeights, st.integers(0, 3), st.lists(st.lists(FOUR_DIGITS, max_size=2).map(tuple), max_size=2).map(tuple)
)
SOURCES = st.builds(
    Span, st.just("colour"), st.integers(0, 9), st.integers(9, 18), st.text(max_size=5), field=st.just("title")
)
WORDS = st.builds(
    WordWeight, st.just("title"), st.integers(0, 9), st.integers(9, 18), st.text(max_size=5), weight=FOUR_DIGITS
)
VALUES = st.builds(
    Value,
    attribute=st.just("colour"),
    value=st.text(max_size=5),
    confidence=FOUR_DIGITS,
    source=st.none() | SOURCES,
    regions=st.lists(REGIONS, max_size=2).map(tuple),
    decided_by=st.sampled_from([None, *DECIDED_BY]),
    words=st.lists(WORDS, max_size=2).map(tuple),
)
PREDICTIONS = st.builds(
    Prediction,
    id=st.text(max_size=5),
    values=st.lists(VALUES, max_size=2).map(tuple),
    range=st.dictionaries(st.text(max_size=5), FOUR_DIGITS, max_size=2),
    coverage=FOUR_DIGITS,
    warnings=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    error=st.none() | st.text(max_size=5),
)


@given(PREDICTIONS)
def test_predictions_come_back_from_json(prediction: Prediction):
    assert Prediction.from_json(json.loads(json.dumps(prediction.to_json()))) == prediction


def test_a_row_that_is_no_prediction_names_the_missing_key():
    with pytest.raises(DataError, match=r"not a prediction row: key 'values' is missing, found \['id', 'title'\]"):
        Prediction.from_json({"id": "1", "title": "Blue shirt"})
    with pytest.raises(DataError, match="key 'value' is missing"):
        Prediction.from_json({"id": "1", "values": [{"attribute": "colour"}]})


SOURCE = {"field": "title", "start": 0, "end": 4, "text": "Blue"}
FIND = {"attribute": "colour", "value": "Navy", "confidence": 1, "source": SOURCE}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": 5}, "'values' should be a list, got 5"),
        ({"values": [5]}, "expected an object with 'attribute', got 5"),
        ({"values": [FIND | {"source": SOURCE | {"start": "0"}}]}, "'start' should be a whole number, got '0'"),
        ({"values": [FIND | {"value": None}]}, "'value' should be text, got None"),
        ({"values": [{k: v for k, v in FIND.items() if k != "source"}]}, "key 'source' is missing"),
        ({"values": [FIND | {"source": 5}]}, "'source' should be an object, got 5"),
        ({"values": [FIND | {"source": {}}]}, r"key 'field' is missing, found \[\]"),
        ({"values": [FIND | {"regions": 5}]}, "'regions' should be a list, got 5"),
        ({"values": [FIND | {"regions": [{"image": 0, "weights": [5]}]}]}, r"'weights' should be a list of lists"),
        ({"values": [FIND | {"decided_by": "table"}]}, "'decided_by' should be text, photo or both, got 'table'"),
        ({"values": [FIND | {"words": 5}]}, "'words' should be a list, got 5"),
        ({"values": [FIND | {"words": [SOURCE]}]}, "key 'weight' is missing"),
        ({"values": [FIND | {"words": [{"weight": 0.5}]}]}, "key 'field' is missing"),
        (
            {"values": [FIND | {"regions": [{"image": 0, "weights": [["a"]]}]}]},
            "'weights' should be a list of lists of n",
        ),
        (
            {"values": [FIND | {"source": SOURCE | {"start": -4}}]},
            "expected a place from 'start' to 'end', .* got -4 to 4",
        ),
        (
            {"values": [FIND | {"source": SOURCE | {"start": 5}}]},
            "expected a place from 'start' to 'end', .* got 5 to 4",
        ),
        ({"values": [FIND | {"confidence": 1.5}]}, "'confidence' should be between 0 and 1, got 1.5"),
        ({"values": [FIND | {"confidence": float("nan")}]}, "'confidence' should be a number, got nan"),
        ({"coverage": 10**400}, "'coverage' should be a number, got a number of 1,329 bits"),
        ({"range": {"colour": float("inf")}}, "'colour' should be a number, got inf"),
        ({"warnings": [5]}, r"'warnings' should be a list of texts, got \[5\]"),
        ({"range": 5}, "'range' should be an object, got 5"),
        ({"range": {"colour": "high"}}, "'colour' should be a number, got 'high'"),
        ({"coverage": "all"}, "'coverage' should be a number, got 'all'"),
        ({"warnings": 5}, "'warnings' should be a list, got 5"),
        ({"error": 5}, "'error' should be text, got 5"),
    ],
)
def test_a_row_that_is_no_prediction_says_what_is_wrong(changes: dict[str, object], words: str):
    row = {"id": "1", "values": [FIND], "range": {"colour": 1}}
    assert Prediction.from_json(row).values == (Value("colour", "Navy", 1, Span("colour", 0, 4, "Blue", "title")),)
    with pytest.raises(DataError, match=f"not a prediction row: {words}"):
        Prediction.from_json(row | changes)


def test_a_chosen_value_says_what_decided_it_and_which_words():
    words = (WordWeight("title", 0, 4, "Blue", 0.61239),)
    chosen = Value("pattern", "Plain", 0.8, decided_by="both", words=words)
    assert chosen.to_json() == {
        "attribute": "pattern",
        "value": "Plain",
        "confidence": 0.8,
        "source": None,
        "regions": [],
        "decided_by": "both",
        "words": [SOURCE | {"weight": 0.6124}],
    }


def test_a_row_of_an_earlier_version_is_to_be_extracted_again():
    old = {"attribute": "colour", "text": "Blue", "field": "title", "start": 0, "end": 4, "confidence": 1}
    with pytest.raises(DataError, match="of an earlier version of Attrex, to be extracted again: its values have 'tex"):
        Prediction.from_json({"id": "1", "values": [old]})


def test_a_value_that_the_text_says_and_one_that_only_the_photo_shows():
    said, shown = Value.from_span(BLUE, 0.9), Value("colour", "Navy Blue", 0.8)
    assert (said.value, said.source, said.key) == ("Navy Blue", Span("colour", 0, 4, "Blue", "title"), BLUE.key)
    assert (shown.source, shown.key) == (None, None)
    assert Prediction("1", (said, shown)).spans == (said.source,)
    assert shown.to_json() == {
        "attribute": "colour",
        "value": "Navy Blue",
        "confidence": 0.8,
        "source": None,
        "regions": [],
    }
    with pytest.raises(
        DataError, match="expected the source of a value of 'type' to be a span of 'type', got one of '"
    ):
        Value("type", "shirt", 1.0, said.source)
