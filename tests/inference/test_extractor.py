"""From products to predictions: in order, streaming, the same for any batch, with exact confidence and evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from threading import current_thread
from typing import Any

import numpy as np
import pytest
import torch

from attrex.config import Config
from attrex.encoding import batching
from attrex.encoding.batching import BatchItem
from attrex.encoding.encoder import ProductEncoder
from attrex.errors import ConfigError, DataError
from attrex.inference import extractor as extractor_module
from attrex.inference.checkpoint import Model
from attrex.inference.extractor import Extractor
from attrex.model.batch import Decoded, DecodedValue, Inputs
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Value


def collate(rows: list[BatchItem], encoder: ProductEncoder) -> Inputs:
    return Inputs.from_arrays(batching.collate(rows, encoder.pad))


def having(config: Config, **changes: dict[str, Any]) -> Config:
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    return Config.parse(raw)


def build(config: Config, schema: Schema) -> Extractor:
    """Untrained: with S_thr = 0 it finds spans of every attribute, which is all these tests need; without a head."""
    torch.manual_seed(0)
    model = new_model(having(config, values={"head": False}), Shop(schema=schema))
    model.thresholds = {"range": 0.0}
    return Extractor(model, device="cpu")


@pytest.fixture(scope="module")
def extractor(tiny: Config, schema: Schema) -> Extractor:
    return build(having(tiny, image={"max_images": 3}), schema)


@pytest.fixture(scope="module")
def windowed(tiny: Config, schema: Schema) -> Extractor:
    """Windows of 32 tokens that overlap by 12: the drawn texts have several."""
    return build(having(tiny, text={"max_tokens": 32, "overlap": 12}), schema)


@pytest.fixture(scope="module")
def shelf(products: list[Product]) -> list[Product]:
    """Products of every kind: several photos, none, a broken one, no text, a row that could not be read."""
    photo = products[1].images[0]
    return [
        *products[:6],
        replace(products[6], images=()),
        replace(products[7], images=(products[7].images[0], photo, photo)),
        replace(products[8], images=(b"not a photo", photo)),
        replace(products[9], images=(b"not a photo",)),
        Product("blank", {"title": " \n"}, images=(photo,)),
        Product("error", {}, warnings=("line 7",), error="line 7 is not JSON"),
        *products[10:14],
    ]


def only(found: Iterator[Prediction]) -> Prediction:
    [prediction] = found
    return prediction


def assert_alike(one: Prediction, other: Prediction) -> None:
    """The same spans, and the same numbers but for rounding."""
    assert [v.key for v in one.values] == [v.key for v in other.values]
    assert (one.id, one.warnings, one.error, one.coverage) == (other.id, other.warnings, other.error, other.coverage)
    assert one.range == pytest.approx(other.range, abs=1e-4)
    for a, b in zip(one.values, other.values, strict=True):
        assert a.confidence == pytest.approx(b.confidence, abs=1e-4)
        assert [e.image for e in a.regions] == [e.image for e in b.regions]
        for x, y in zip(a.regions, b.regions, strict=True):
            assert np.allclose(x.weights, y.weights, atol=1e-2)  # a difference of scores over a small range


# --- order, streaming, batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_any_batch_size_gives_the_same_in_input_order(
    extractor: Extractor, shelf: list[Product], batch_size: int
) -> None:
    alone = [only(extractor.extract([p])) for p in shelf]
    together = list(extractor.extract(shelf, batch_size=batch_size))
    assert [p.id for p in together] == [p.id for p in shelf]
    assert sum(len(p.values) for p in together) > 50
    for one, other in zip(alone, together, strict=True):
        assert_alike(one, other)


def test_a_stream_is_read_one_chunk_ahead(extractor: Extractor, products: list[Product]) -> None:
    taken = 0

    def endless() -> Iterator[Product]:
        nonlocal taken
        while True:
            taken += 1
            yield products[0].without_images()

    found = extractor.extract(endless(), batch_size=2, threshold=1.0)
    assert taken == 0
    chunk = 2 * extractor_module.CHUNK
    next(found)
    assert taken == chunk
    list(islice(found, chunk))
    assert taken == 2 * chunk


def test_long_texts_are_run_a_part_of_the_chunk_at_a_time(
    extractor: Extractor, products: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = replace(products[0].without_images(), fields={"text": "A red cotton shirt. " * 120}, spans=None)
    several = [replace(long, id=str(i)) for i in range(20)]
    parts: list[int] = []
    predict = Extractor._complete

    def noting(self: Extractor, drafts: Any, options: Any) -> Any:
        parts.append(sum(draft.left for draft in drafts))
        return predict(self, drafts, options)

    monkeypatch.setattr(Extractor, "_complete", noting)
    monkeypatch.setattr(extractor_module, "CHUNK", 20)
    found = list(extractor.extract(several, batch_size=1))
    windows = len(extractor.encoder.encode(long).windows)
    assert [p.id for p in found] == [p.id for p in several]
    assert 1 < windows < 20
    assert sum(parts) == 20 * windows
    assert all(40 <= rows < 40 + windows for rows in parts[:-1])


def test_nothing_in_nothing_out(extractor: Extractor) -> None:
    assert list(extractor.extract([])) == []


def test_photos_are_let_go_within_a_chunk(
    extractor: Extractor, products: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    collect = extractor_module.collect

    def noting(output: Any, rows: Any, drafts: Any, grid: Any, *, evidence: bool) -> None:
        collect(output, rows, drafts, grid, evidence=evidence)
        held.append(sum(bool(drafts[row.product].photos) for row in rows) + sum(len(row.pixels) for row in rows))

    monkeypatch.setattr(extractor_module, "collect", noting)
    list(extractor.extract(products[:8], batch_size=2))
    assert held == [0, 0, 0, 0]


@pytest.fixture
def threads() -> Iterator[None]:
    """Whatever a test does, the next one has as many as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("size", [1, 3])
def test_batches_that_run_at_once_find_what_batches_in_turn_find(
    extractor: Extractor, products: list[Product], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Windows of one product are in several batches, so its photo is asked for from several threads."""
    long = replace(products[1], fields={"text": "A red cotton shirt. " * 120}, spans=None)
    shelf = [products[0], long, *products[2:9]]
    monkeypatch.setattr(extractor.engine, "threads", 1)
    in_turn = list(extractor.extract(shelf, batch_size=size))
    monkeypatch.setattr(extractor.engine, "threads", 4)
    names = set()
    run = extractor.engine.run

    def noting(*args: Any, **options: Any) -> Any:
        names.add(current_thread().name)
        return run(*args, **options)

    monkeypatch.setattr(extractor.engine, "run", noting)
    at_once = list(extractor.extract(shelf, batch_size=size))
    assert len(names) > 1
    assert torch.get_num_threads() == 4
    for one, other in zip(in_turn, at_once, strict=True):
        assert_alike(one, other)


# --- rows that are not as they should be ------------------------------------------------------------------------------


def test_a_row_that_could_not_be_read_is_marked(extractor: Extractor) -> None:
    bad = Product("7", {}, warnings=("cut off",), error="line 7 is not JSON")
    assert only(extractor.extract([bad])) == Prediction(
        "7", coverage=0.0, warnings=("cut off",), error="line 7 is not JSON"
    )


@pytest.mark.parametrize("fields", [{}, {"title": ""}, {"title": " \n"}])
def test_a_product_without_text(extractor: Extractor, fields: dict[str, str]) -> None:
    found = only(extractor.extract([Product("7", fields)]))
    assert (found.values, found.range, found.error) == ((), {}, None)
    assert found.warnings == ("no text that the tokenizer can read",)


def test_a_broken_photo_is_a_warning_and_the_text_is_read(extractor: Extractor, products: list[Product]) -> None:
    broken = replace(products[0], images=(b"not a photo",), warnings=("price missing",))
    found = only(extractor.extract([broken]))
    plain = only(extractor.extract([products[0].without_images()]))
    first, second = found.warnings
    assert first == "price missing"
    assert second.startswith("photo 1 left out: image of 11 bytes: expected one of JPEG, PNG")
    assert_alike(replace(found, warnings=()), plain)
    assert all(not v.regions for v in found.values)


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_evidence_of_several_photos(extractor: Extractor, products: list[Product]) -> None:
    photos = (products[1].images[0], b"broken", products[2].images[0], products[3].images[0], products[4].images[0])
    many = replace(products[0], images=photos)
    alone, others = products[5], products[6]  # with one photo each, padded to three in the batch
    found, *rest = extractor.extract([many, alone, others])
    grid = extractor.model.network.image.grid(64)  # type: ignore[union-attr]
    for value in found.values:
        assert [e.image for e in value.regions] == [0, 2, 3]  # the broken one is passed over, three are read
        assert all(np.shape(e.weights) == grid for e in value.regions)
        everything = np.array([e.weights for e in value.regions])
        assert (everything.min(), everything.max()) == (0, 1)
    assert all([e.image for e in v.regions] == [0] for p in rest for v in p.values)


def test_evidence_is_how_the_tokens_of_the_value_look(extractor: Extractor, products: list[Product]) -> None:
    one = replace(products[0], fields={"title": products[0].fields["title"]}, spans=None)
    [window] = extractor.encoder.encode(one).windows
    pixels = extractor.loader.load(one.images[0])  # type: ignore[union-attr]
    batch = collate([BatchItem(0, window, (0,), (pixels,))], extractor.encoder)
    with torch.inference_mode():
        weights = extractor.model.network.encode(batch, region_weights=True).region_weights
    assert weights is not None
    found = only(extractor.extract([one]))
    for value, span in zip(found.values, found.spans, strict=True):
        at = [i for i, u in enumerate(window.units) if u and u.start < span.end and u.end > span.start]
        raw = weights[0, [window.unit_index[i] for i in at]].mean(0).numpy()
        expected = (raw - raw.min()) / (raw.max() - raw.min())
        assert np.allclose(np.ravel(value.regions[0].weights), expected, atol=1e-4)


def test_evidence_and_photos_can_be_left_out(extractor: Extractor, products: list[Product]) -> None:
    with_evidence, without = (only(extractor.extract([products[0]], evidence=e)) for e in (True, False))
    assert all(v.regions for v in with_evidence.values)
    assert all(not v.regions for v in without.values)
    assert [v.key for v in with_evidence.values] == [v.key for v in without.values]
    blind = only(extractor.extract([products[0]], photos=False))
    assert_alike(blind, only(extractor.extract([products[0].without_images()])))


# --- confidence -------------------------------------------------------------------------------------------------------


def test_confidence_is_range_score_times_the_exact_probability_of_the_span(extractor: Extractor) -> None:
    text = "soft blue cotton shirt"
    one = Product("7", {"title": text})
    prediction = only(extractor.extract([one]))
    [window] = extractor.encoder.encode(one).windows
    network, crf = extractor.model.network, extractor.model.network.crf
    assert prediction.values
    for value, span in zip(prediction.values, prediction.spans, strict=True):
        start = next(i for i, u in enumerate(window.units) if u and u.start == span.start)
        end = 1 + next(i for i, u in enumerate(window.units) if u and u.end == span.end)
        with torch.inference_mode():
            encoded = network.encode(collate([BatchItem(0, window)], extractor.encoder))
            attribute = torch.tensor([extractor.names.index(value.attribute)])
            emissions = network.emissions(encoded, torch.tensor([0]), attribute)
            units = emissions.shape[1]
            paths = torch.tensor(list(product(range(3), repeat=units)))  # every tag sequence
            every = emissions.expand(len(paths), -1, -1)
            probability = (-crf.nll(every, paths, torch.ones(len(paths), units, dtype=torch.bool))).exp()
        assert probability.sum() == pytest.approx(1, abs=1e-4)
        tags = torch.tensor([1] + [2] * (end - start - 1))
        says_so = (paths[:, start:end] == tags).all(1)
        if end < units:
            says_so &= paths[:, end] != 2
        expected = float(probability[says_so].sum()) * prediction.range[value.attribute]
        assert value.confidence == pytest.approx(expected, abs=1e-5)


def test_confidences_and_scores_are_probabilities(extractor: Extractor, shelf: list[Product]) -> None:
    for found in extractor.extract(shelf):
        assert all(0 <= v.confidence <= 1 for v in found.values)
        assert all(0 <= s <= 1 for s in found.range.values())
        assert list(found.range.values()) == sorted(found.range.values(), reverse=True)


# --- values -----------------------------------------------------------------------------------------------------------


def assert_in_order_and_apart(text: Product, found: Prediction) -> None:
    fields = list(text.fields)
    places = [(fields.index(s.field), s.start, s.end, s.attribute) for s in found.spans]
    assert places == sorted(places)
    reached: Counter[tuple[str, str]] = Counter()
    for value, span in zip(found.values, found.spans, strict=True):
        assert text.fields[span.field][span.start : span.end] == span.text == value.value
        assert span.start >= reached[span.attribute, span.field]
        reached[span.attribute, span.field] = span.end


def test_values_are_sorted_and_say_what_the_text_says(extractor: Extractor, products: list[Product]) -> None:
    for one, found in zip(products[:10], extractor.extract(products[:10]), strict=True):
        assert found.values
        assert_in_order_and_apart(one, found)


def test_tags_that_run_across_a_field_give_one_value_per_field(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_one_span(emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tags = torch.full(mask.shape, 2)
        tags[:, 0] = 1
        return tags

    monkeypatch.setattr(extractor.model.network.crf, "viterbi", all_one_span)
    found = only(extractor.extract([Product("7", {"title": "red shirt", "text": "of cotton"})]))
    assert [(s.field, s.text) for s in found.spans if s.attribute == "Color"] == [
        ("title", "red shirt"),
        ("text", "of cotton"),
    ]


def test_long_texts_are_read_in_windows_and_each_value_is_found_once(
    windowed: Extractor, products: list[Product]
) -> None:
    rows = windowed.count.rows
    for one, found in zip(products[:8], windowed.extract(products[:8]), strict=True):
        assert found.coverage == 1
        assert_in_order_and_apart(one, found)
    assert windowed.count.rows - rows > 16


def test_windows_see_what_one_window_sees_where_context_does_not_matter(
    tiny: Config, schema: Schema, products: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word "cotton" is tagged, whatever is around it: windows must find each exactly once."""
    text = " ".join(f"{'soft ' * (i % 5)}cotton" for i in range(60))
    one = Product("7", {"title": text})
    for tokens in (96, 32):
        extractor = build(having(tiny, text={"max_tokens": tokens, "overlap": 12}), schema)

        def by_word(batch: Any, *, extractor: Extractor = extractor, **_: Any) -> Any:
            cotton = extractor.model.tokenizer.encode("cotton", add_special_tokens=False)[0]
            where = (batch.input_ids.gather(1, batch.unit_index) == cotton) & batch.unit_mask
            rows, starts = where.nonzero(as_tuple=True)
            some = torch.ones(len(rows))
            return Decoded(rows, some.long(), starts, starts + 1, some, None, None, 0, None)

        monkeypatch.setattr(extractor.model.network, "extract", by_word)
        found = only(extractor.extract([one]))
        assert [s.text for s in found.spans] == ["cotton"] * 60
        assert len({s.start for s in found.spans}) == 60


def test_windows_that_disagree_at_their_border_give_no_overlapping_values(
    windowed: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each window tags everything it sees as one value; the first one is kept, those that reach into it are not."""

    def greedy(batch: Any, **_: Any) -> Any:
        rows = torch.arange(len(batch.input_ids)).repeat_interleave(2)
        units = batch.unit_mask.sum(1)
        # one span over all units, one over the second half
        starts = torch.stack([torch.zeros_like(units), units // 2], 1).flatten()
        ends = units.repeat_interleave(2)
        return Decoded(rows, rows * 0, starts, ends, torch.ones(len(rows)), None, None, 0, None)

    monkeypatch.setattr(windowed.model.network, "extract", greedy)
    one = Product("7", {"title": "soft blue cotton shirt " * 12})
    found = only(windowed.extract([one]))
    assert len(found.values) > 1
    assert_in_order_and_apart(one, found)


def test_values_without_a_place_are_words_without_a_source(
    windowed: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every window names the same two values of Color; the surest of each counts, whatever the text says."""
    encode = windowed.model.tokenizer.encode
    red, sky = (tuple(encode(word, add_special_tokens=False)) for word in ("red", "sky blue"))

    def naming(batch: Any, **_: Any) -> Any:
        none, rows = torch.zeros(0, dtype=torch.long), range(len(batch.input_ids))
        values = [DecodedValue(row, color, ids, 0.3 + 0.1 * (row % 2)) for row in rows for ids in (sky, red, ())]
        return Decoded(none, none, none, none, none.float(), None, None, 0, None, values)

    color = windowed.names.index("Color")
    monkeypatch.setattr(windowed.model.network, "extract", naming)
    found = only(windowed.extract([Product("7", {"title": "soft cotton shirt " * 12})]))
    assert found.values == (Value("Color", "red", 0.4), Value("Color", "sky blue", 0.4))
    assert only(windowed.extract([Product("7", {"title": "soft shirt"})], min_confidence=0.35)).values == ()


# --- what products may be given as ------------------------------------------------------------------------------------


def test_dicts_and_texts_are_products_too(extractor: Extractor) -> None:
    text = "soft blue cotton shirt"
    rows = [text, {"title": text}, {"id": 5, "fields": {"title": text}}, {"id": "x", "image": "a.jpg"}]
    plain, row, own, bad = extractor.extract([*rows])
    expected = only(extractor.extract([Product("row-1", {"text": text})]))
    assert_alike(plain, expected)
    assert [p.id for p in (row, own, bad)] == ["row-2", "5", "x"]
    assert row.warnings == ("products row 2: no id in column 'id'; the row number stands in for it",)
    assert [v.value for v in row.values] == [v.value for v in own.values] == [v.value for v in plain.values]
    assert bad.error is not None
    assert bad.error.startswith(
        "products row 4: expected text in ['title', 'description', 'bullets', 'text'], got none"
    )


class Table:
    """As much of a pandas table as tells what it is; iterating gives its column names."""

    iterrows = None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("red shirt", "iterable of products, dicts or texts, got text 'red shirt'; put a single one into a list"),
        ({"title": "red"}, "got an object {'title': 'red'}; put a single one into a list"),
        (Product("7", {"title": "red"}), "got Product .*; put a single one into a list"),
        (Path("shop.jsonl"), "got PosixPath PosixPath.'shop.jsonl'.; read_products reads files"),
        (5, "got a number 5"),
        (Table(), r"got a table; give table\.to_dict\('records'\)"),
    ],
)
def test_what_is_no_series_of_products_is_refused_at_the_call(extractor: Extractor, given: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        extractor.extract(given)


def test_an_item_that_is_no_product_is_named(extractor: Extractor) -> None:
    with pytest.raises(DataError, match="products row 2: expected a product, a dict or a text, got a number 5"):
        list(extractor.extract(["red", 5]))  # type: ignore[list-item]


# --- options ----------------------------------------------------------------------------------------------------------


def test_threshold_replaces_the_models_own(extractor: Extractor, products: list[Product]) -> None:
    wide = only(extractor.extract([products[0]]))
    middle = sorted(wide.range.values())[len(wide.range) // 2]
    narrow = only(extractor.extract([products[0]], threshold=middle))
    assert set(narrow.range) == {a for a, s in wide.range.items() if s > middle}
    assert [v.key for v in narrow.values] == [v.key for v in wide.values if v.attribute in narrow.range]
    assert only(extractor.extract([products[0]], threshold=1.0)).values == ()


def test_attributes_to_look_for_replace_the_models_own_choice(extractor: Extractor) -> None:
    one, other = (Product(i, {"title": "soft blue cotton shirt"}) for i in "12")
    for attributes in (["Color"], "Color", {"1": ["Color"], "2": ["Color", "Height"]}, lambda p: {"Color", "Height"}):
        first, second = extractor.extract([one, other], attributes=attributes)
        assert set(first.range) == set(second.range) == {"Color"}
    assert only(extractor.extract([one], attributes={"2": ["Color"]})).values == ()
    with pytest.raises(
        ConfigError, match=r"attributes should be names that the model knows, got 'Colour'.*did you mean"
    ):
        extractor.extract([one], attributes=["Color", "Colour"])


def test_thresholds_of_the_model_are_the_defaults(tiny: Config, schema: Schema, products: list[Product]) -> None:
    extractor = build(tiny, schema)
    everything = only(extractor.extract([products[0]]))
    middle = sorted(v.confidence for v in everything.values)[len(everything.values) // 2]
    expected = [v for v in everything.values if v.confidence >= middle]
    assert 0 < len(expected) < len(everything.values)
    assert list(only(extractor.extract([products[0]], min_confidence=middle)).values) == expected
    extractor.model.thresholds = {"range": 0.0, "confidence": middle}
    assert list(only(extractor.extract([products[0]])).values) == expected
    assert only(extractor.extract([products[0]], min_confidence=0.0)).values == everything.values


def test_attributes_that_a_category_cannot_have_are_masked(
    tiny: Config, schema: Schema, products: list[Product]
) -> None:
    two = Schema(schema.attributes, {"Shoes": ("Color", "Brand")})
    extractor = build(having(tiny, range={"mask_by_category": True}), two)
    shoes, unknown = (replace(products[0], category=c) for c in ("Shoes", None))
    masked, free = extractor.extract([shoes, unknown])
    assert set(masked.range) == {"Color", "Brand"}
    assert {v.attribute for v in masked.values} <= {"Color", "Brand"}
    assert set(free.range) == set(schema.names)


def test_bf16(extractor: Extractor, products: list[Product]) -> None:
    rough = Extractor(extractor.model, device="cpu", precision="bf16")
    exact, near = (only(e.extract([products[0]])) for e in (extractor, rough))
    assert near.range == pytest.approx(exact.range, abs=0.05)
    assert near.range != exact.range


def by_an_optimizer(network: torch.nn.Module) -> None:
    """As in training, with the fused kernel, which does not count what it writes."""
    network.train()
    parameters = list(network.text.layers.parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    torch.optim.AdamW(parameters, lr=0.05, fused=True).step()


def by_hand(network: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.text.layers.parameters():
            parameter.mul_(1.5)


@pytest.mark.parametrize("change", [by_an_optimizer, by_hand])
def test_bf16_follows_weights_that_change(
    tiny: Config, schema: Schema, products: list[Product], change: Callable[[torch.nn.Module], None]
) -> None:
    model = build(tiny, schema).model
    rough = Extractor(model, device="cpu", precision="bf16")
    before = only(rough.extract([products[0]])).range
    assert only(rough.extract([products[0]])).range == before
    change(model.network)
    after, fresh = (only(e.extract([products[0]])).range for e in (rough, Extractor(model, device="cpu")))
    assert after != before
    assert after == pytest.approx(fresh, abs=0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size should be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size should be at least 1, got -1"),
        ({"threshold": 1.5}, r"threshold should be between 0 and 1, got 1\.5"),
        ({"min_confidence": -0.1}, r"min_confidence should be between 0 and 1, got -0\.1"),
    ],
)
def test_options_out_of_range_fail_at_the_call(extractor: Extractor, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        extractor.extract([], **options)


def test_a_precision_that_does_not_exist(extractor: Extractor) -> None:
    with pytest.raises(ConfigError, match="precision should be auto, fp32 or bf16, got 'fp8'"):
        Extractor(extractor.model, precision="fp8")


def test_flat_tagger(tiny: Config, schema: Schema, shelf: list[Product]) -> None:
    extractor = build(having(tiny, range={"kind": "none"}), schema)
    alone = [only(extractor.extract([p])) for p in shelf]
    assert any(p.values for p in alone)
    assert all(p.range == {} for p in alone)
    for one, other in zip(alone, extractor.extract(shelf, batch_size=5), strict=True):
        assert_alike(one, other)


def test_photos_may_be_cached_on_disk(tiny: Config, schema: Schema, products: list[Product], tmp_path: Path) -> None:
    model: Model = build(tiny, schema).model
    extractor = Extractor(model, device="cpu", cache_dir=tmp_path / "photos")
    list(extractor.extract(products[:2]))
    pixels, regions = 2, 2
    assert len(list((tmp_path / "photos").rglob("*.npy"))) == pixels + regions


def test_a_catalogue_that_is_run_again_encodes_no_photo_and_finds_the_same(
    extractor: Extractor, shelf: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(extractor.extract(shelf))
    first, again = (Extractor(extractor.model, device="cpu", cache_dir=tmp_path) for _ in range(2))
    filling = list(first.extract(shelf, batch_size=4))
    monkeypatch.setattr(extractor.model.network, "encode_images", None)  # calling it would fail
    for found in (filling, list(again.extract(shelf))):
        for one, other in zip(expected, found, strict=True):
            assert_alike(one, other)


def test_other_weights_or_another_precision_share_no_regions(
    tiny: Config, schema: Schema, products: list[Product], tmp_path: Path
) -> None:
    model = build(tiny, schema).model
    names = [Extractor(model, device="cpu", precision=p).engine.image_weights_hash() for p in ("fp32", "fp32", "bf16")]
    with torch.no_grad():
        next(model.network.image.parameters()).mul_(2)
    names.append(Extractor(model, device="cpu").engine.image_weights_hash())
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_photos_that_are_read_otherwise_share_no_regions(tiny: Config, schema: Schema) -> None:
    names = {
        build(having(tiny, image=change, fusion={"region_norm": False}), schema).engine.image_weights_hash()
        for change in ({}, {"mean": (0.1, 0.2, 0.9)}, {"std": (0.1, 0.1, 0.1)})
    }
    assert len(names) == 3


def test_a_damaged_file_of_the_cache_is_made_again(
    extractor: Extractor, products: list[Product], tmp_path: Path
) -> None:
    def cached() -> Prediction:
        return only(Extractor(extractor.model, device="cpu", cache_dir=tmp_path).extract(products[:1]))

    expected = cached()
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(b"half a fil")
    assert_alike(cached(), expected)
    assert all(np.load(file).size > 0 for file in tmp_path.rglob("*.npy"))


def test_a_cache_that_cannot_be_written_is_a_warning(
    extractor: Extractor, products: list[Product], tmp_path: Path
) -> None:
    place = tmp_path / "file"
    place.write_text("no directory")
    with pytest.raises(ConfigError, match=r"cache of photos should be a directory, but .*file is a file; choose anoth"):
        Extractor(extractor.model, device="cpu", cache_dir=place)
    caching = Extractor(extractor.model, device="cpu", cache_dir=place / "photos")
    with pytest.warns(UserWarning, match="cannot be cached under .*choose another cache_dir"):
        found = list(caching.extract(products[:3]))
    assert [p.warnings for p in found] == [(), (), ()]


# --- a value head -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chooser(choosing: Callable[..., Model]) -> Extractor:
    return Extractor(choosing(), device="cpu")


def test_values_that_the_text_does_not_say_are_chosen_from_text_and_photo(
    chooser: Extractor, shelf: list[Product], schema: Schema
) -> None:
    options = {a.name: a.options for a in schema.attributes}
    chosen = [v for p in chooser.extract(shelf) for v in p.values if v.source is None]
    assert {v.decided_by for v in chosen} == {"text", "photo", "both"}
    assert all(v.value in options[v.attribute] for v in chosen)
    assert len({(v.attribute, v.value) for v in chosen}) > 20
    for one, prediction in zip(shelf, chooser.extract(shelf), strict=True):
        for value in (v for v in prediction.values if v.source is None):
            assert bool(value.regions) == any(image != b"not a photo" for image in one.images)
            folded = [w.text.casefold() for w in value.words]
            assert len(set(folded)) == len(folded) <= 3
            assert all(one.fields[w.field][w.start : w.end] == w.text for w in value.words)
    assert any(v.words for v in chosen)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_any_batch_size_chooses_the_same(chooser: Extractor, shelf: list[Product], batch_size: int) -> None:
    together, other = list(chooser.extract(shelf, batch_size=7)), list(chooser.extract(shelf, batch_size=batch_size))
    for a, b in zip(together, other, strict=True):
        assert_alike(a, b)
        for v, w in zip(a.values, b.values, strict=True):
            assert (v.value, v.decided_by, [x.text for x in v.words]) == (
                w.value,
                w.decided_by,
                [x.text for x in w.words],
            )


def test_a_head_changes_nothing_of_what_is_tagged(choosing: Callable[..., Model], products: list[Product]) -> None:
    model = choosing(calibrated=False)
    with_head = list(Extractor(model, device="cpu").extract(products[:8]))
    model.network.values = model.network.value_range = None
    extractor = Extractor(model, device="cpu")
    without = list(extractor.extract(products[:8]))
    assert not extractor.chooses_values
    assert any(len(a.values) > len(b.values) for a, b in zip(with_head, without, strict=True))
    for a, b in zip(with_head, without, strict=True):
        assert [v for v in a.values if v.source is not None] == list(b.values)
        assert all((v.value, v.decided_by, v.words) == (v.source.text, None, ()) for v in b.values)
        assert a.range == b.range


def test_a_calibration_gives_what_is_tagged_the_shops_words_and_moves_no_source(
    choosing: Callable[..., Model], products: list[Product]
) -> None:
    extractor = Extractor(choosing(calibrated=False), device="cpu")
    before = list(extractor.extract(products[:8]))
    calibration = choosing().calibration
    extractor.use_calibration(calibration)
    after = list(extractor.extract(products[:8]))
    assert extractor.model.calibration is calibration
    for a, b in zip(before, after, strict=True):
        said, called = ([v for v in p.values if v.source is not None] for p in (a, b))
        assert [v.source for v in said] == [v.source for v in called]
        for value in called:
            word = extractor.model.normalizer.normalize(value.attribute, value.source.text)
            assert value.value == (word or " ".join(value.source.text.split()))
        confidences = {(v.attribute, v.value, v.confidence) for v in called}
        assert len(confidences) == len({(attribute, word) for attribute, word, _ in confidences})


def test_cells_are_what_values_are_made_of(chooser: Extractor, products: list[Product]) -> None:
    some = [*products[:6], Product("bad", {}, error="line 3")]
    for cells, prediction in zip(chooser.cells(some), chooser.extract(some), strict=True):
        sure = {(a, c.value): c.confidence for a, found in cells.items() for c in found}
        assert all(v.confidence == sure[v.attribute, v.value] for v in prediction.values)
        for attribute, found in cells.items():
            assert [c.confidence for c in found] == sorted((c.confidence for c in found), reverse=True)
            chosen = [v for v in prediction.values if v.attribute == attribute and v.source is None]
            assert [v.value for v in chosen] in ([], [found[0].value])
    assert list(chooser.cells(some))[-1] == {}


def test_predictions_never_depend_on_the_table(chooser: Extractor, products: list[Product]) -> None:
    bare = [replace(p, table={}, spans=None, category=None) for p in products[:6]]
    assert list(chooser.extract(bare)) == list(chooser.extract(products[:6]))


def test_without_photos_the_text_decides(chooser: Extractor, products: list[Product]) -> None:
    found = list(chooser.extract(products[:6], photos=False))
    assert found == list(chooser.extract([p.without_images() for p in products[:6]]))
    assert {v.decided_by for p in found for v in p.values} == {"text"}
    assert not any(v.regions for p in found for v in p.values)


def test_without_evidence_values_are_the_same(chooser: Extractor, products: list[Product]) -> None:
    full, bare = (list(chooser.extract(products[:6], evidence=evidence)) for evidence in (True, False))
    assert bare == [replace(p, values=tuple(replace(v, regions=(), words=()) for v in p.values)) for p in full]


def test_a_text_only_model_tells_its_words(choosing: Callable[..., Model], products: list[Product]) -> None:
    model = choosing(image={"model": None}, fusion={"kind": "none"})
    chosen = [v for p in Extractor(model, device="cpu").extract(products[:6]) for v in p.values if v.source is None]
    assert {v.decided_by for v in chosen} == {"text"}
    assert any(v.words for v in chosen)


def test_only_attributes_that_are_asked_for_are_chosen(chooser: Extractor, products: list[Product]) -> None:
    found = [v.attribute for p in chooser.extract(products[:6], attributes=["Pattern"]) for v in p.values]
    assert set(found) == {"Pattern"}
