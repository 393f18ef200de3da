from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.data_loader import prepare_data_loader, skip_first_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoTokenizer

from attrex.config import Config
from attrex.encoding import batching
from attrex.encoding.batching import BatchItem, load_photos
from attrex.encoding.dataset import BucketSampler, Collator, LabelledProducts
from attrex.encoding.encoder import ProductEncoder
from attrex.encoding.targets import TargetEncoder
from attrex.io.images import ImageLoader, ImageTransform
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import Teacher
from attrex.model.batch import Batch, Inputs
from attrex.shop.schema import Schema
from attrex.types import UNKNOWN, CellState, Prediction, Product, Span, Value

LOADER = ImageLoader(ImageTransform(size=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)))
BROKEN = b"this is no picture"


def collate(rows: Sequence[BatchItem], encoder: ProductEncoder, allowed: np.ndarray | None = None) -> Inputs:
    return Inputs.from_arrays(batching.collate(rows, encoder.pad, allowed))


def batch_of(encoder: ProductEncoder, *products: Product, targets: TargetEncoder | None = None) -> Batch:
    """All windows of products with their labels."""
    data = LabelledProducts(products, encoder, targets or TargetEncoder(encoder.schema))
    return Batch.from_tensors(Collator(encoder, LOADER)([data[i] for i in range(len(data))]))


def photo(colour: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 40), colour).save(out, "PNG")
    return out.getvalue()


RED, GREEN, BLUE = photo("#ff0000"), photo("#00ff00"), photo("#0000ff")


def color_of(pixels: torch.Tensor) -> list[list[int]]:
    """The middle pixel of each photo."""
    return pixels[:, 16, 16].tolist()


@pytest.fixture(scope="module")
def encoder(tiny: Config, tiny_text: Path, schema: Schema) -> ProductEncoder:
    return ProductEncoder(AutoTokenizer.from_pretrained(tiny_text), tiny, schema)


def with_overrides(encoder: ProductEncoder, **sections: dict[str, object]) -> ProductEncoder:
    raw = encoder.config.model_dump()
    for section, values in sections.items():
        raw[section].update(values)
    return ProductEncoder(encoder.tokenizer, Config.parse(raw), encoder.schema)


def rows_of(encoder: ProductEncoder, *products: Product) -> list[BatchItem]:
    rows = []
    for number, product in enumerate(products):
        photos, _ = load_photos(product, LOADER, encoder.config.image.max_images)
        windows = encoder.encode(product).windows
        rows += [BatchItem(number, w, tuple(photos), tuple(photos.values())) for w in windows]
    return rows


def product(text: str, *images: bytes | Path, **more: object) -> Product:
    return Product("p", {"text": text}, images, **more)


LONG = "red cotton shirt " * 60  # several windows of 96 tokens


# ---- padding -------------------------------------------------------------------------------------------------------


def test_rows_are_padded_and_masked(encoder: ProductEncoder) -> None:
    batch = collate(rows_of(encoder, product("red"), product("a red cotton shirt")), encoder)
    short, long = batch.input_ids.tolist()
    length = batch.token_mask.sum(1).tolist()
    assert short[0] == long[0] == encoder.cls
    assert [short[length[0] - 1], long[length[1] - 1]] == [encoder.sep, encoder.sep]
    assert set(short[length[0] :]) == {encoder.pad}
    assert batch.token_mask.shape == batch.input_ids.shape
    assert batch.unit_mask.sum(1).tolist() == [1, 4]
    assert batch.unit_index[0].tolist() == [1, 0, 0, 0]
    for mask in (batch.token_mask, batch.unit_mask):
        assert (mask.long().diff() <= 0).all()  # a prefix of each row


def test_a_row_alone_and_a_row_in_company_hold_the_same(encoder: ProductEncoder, products: list[Product]) -> None:
    data = LabelledProducts(products[:6], encoder, TargetEncoder(encoder.schema))
    collator = Collator(encoder, None)
    together = Batch.from_tensors(collator([data[i] for i in range(len(data))]))
    for at in range(len(data)):
        alone = Batch.from_tensors(collator([data[at]]))
        tokens, units = alone.inputs.input_ids.shape[1], alone.inputs.unit_index.shape[1]
        assert torch.equal(together.inputs.input_ids[at, :tokens], alone.inputs.input_ids[0])
        assert torch.equal(together.inputs.unit_index[at, :units], alone.inputs.unit_index[0])
        assert torch.equal(together.targets.flat_tags[at, :units], alone.targets.flat_tags[0])
        own = together.targets.pair_rows == at
        assert torch.equal(together.targets.pair_tags[own, :units], alone.targets.pair_tags)


def test_without_photos_and_labels_a_batch_has_text_only(encoder: ProductEncoder) -> None:
    batch = collate(rows_of(encoder, product("red shirt")), encoder)
    assert set(batch.tensors()) == {"input_ids", "token_mask", "unit_index", "unit_mask"}


def test_allowed_attributes_travel_along(encoder: ProductEncoder) -> None:
    allowed = np.eye(1, len(encoder.schema.names), dtype=bool)
    batch = collate(rows_of(encoder, product("red shirt")), encoder, allowed)
    assert batch.allowed.tolist() == allowed.tolist()


# ---- photos --------------------------------------------------------------------------------------------------------


def test_windows_of_a_product_share_its_photos(encoder: ProductEncoder) -> None:
    rows = rows_of(encoder, product("no photo"), product(LONG, RED), product("blue", BLUE))
    batch = collate(rows, encoder)
    windows = len(rows) - 2
    assert windows > 1
    assert color_of(batch.pixels) == [[255, 0, 0], [0, 0, 255]]
    assert batch.image_index.tolist() == [[-1], *[[0]] * windows, [1]]
    assert (batch.pixels.dtype, batch.pixels.shape) == (torch.uint8, (2, 32, 32, 3))


def test_several_photos_of_a_product_are_in_order_and_padded_with_none(encoder: ProductEncoder) -> None:
    several = with_overrides(encoder, image={"max_images": 3})
    batch = collate(rows_of(several, product("a", RED, GREEN), product("b"), product("c", BLUE)), several)
    assert color_of(batch.pixels) == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert batch.image_index.tolist() == [[0, 1], [-1, -1], [2, -1]]


def test_a_photo_that_cannot_be_read_is_a_warning_and_the_next_takes_its_place(tmp_path: Path) -> None:
    several = product("red", BROKEN, tmp_path / "missing.jpg", GREEN, BLUE)
    photos, warnings = load_photos(several, LOADER, 1)
    assert list(photos) == [2]  # the number says which of the product's photos it is
    assert [w.split(":")[0] for w in warnings] == ["photo 1 left out", "photo 2 left out"]
    assert "the content is none of these" in warnings[0]
    assert "missing.jpg" in warnings[1]
    assert load_photos(several, LOADER, 4)[0].keys() == {2, 3}


def test_without_a_loader_no_photo_is_looked_at() -> None:
    assert load_photos(product("red", BROKEN), None, 1) == ({}, [])


def test_a_product_with_broken_photos_trains_as_text_only_and_leaves_a_warning(encoder: ProductEncoder) -> None:
    bad, good = Product("bad", {"text": "red shirt"}, (BROKEN,)), Product("good", {"text": "red shirt"}, (RED,))
    collator = Collator(encoder, LOADER)
    data = LabelledProducts([bad, good], encoder, TargetEncoder(encoder.schema))
    inputs = Inputs.from_tensors(collator([data[0], data[1]]))
    assert inputs.image_index.tolist() == [[-1], [0]]
    assert list(collator.warnings) == ["bad"]
    assert collator.warnings["bad"][0].startswith("photo 1 left out: ")
    assert "pixels" not in collator([data[0]])


# ---- labels --------------------------------------------------------------------------------------------------------


def test_labels_are_one_row_per_window_and_one_per_gold_pair(encoder: ProductEncoder, schema: Schema) -> None:
    color, material = 1, 2
    spans = (Span(schema.names[color], 2, 5, "red"), Span(schema.names[material], 6, 12, "cotton"))
    batch = batch_of(
        encoder,
        product("shirt", spans=(), complete=True),
        product("a red cotton shirt", spans=spans, complete=True),
    ).targets
    assert batch.cells.dtype == torch.uint8
    located = torch.zeros(2, len(schema.names), dtype=torch.bool)
    located[1, [color, material]] = True
    assert torch.equal(batch.cells == CellState.LOCATED, located)
    assert torch.equal(batch.cells == CellState.ABSENT, ~located)
    pairs = dict(
        zip(
            zip(batch.pair_rows.tolist(), batch.pair_attributes.tolist(), strict=True),
            batch.pair_tags.tolist(),
            strict=True,
        )
    )
    assert pairs == {(1, color): [0, 1, 0, 0], (1, material): [0, 0, 1, 0]}
    assert batch.flat_tags.tolist() == [[0] * 4, [0, 2 * color + 1, 2 * material + 1, 0]]


def test_a_batch_without_any_gold_pair_keeps_its_shapes(encoder: ProductEncoder) -> None:
    batch = batch_of(encoder, product("a red shirt", spans=())).targets
    assert batch.pair_tags.shape == (0, 3)
    assert batch.pair_rows.shape == batch.pair_attributes.shape == (0,)


def test_pairs_in_doubt_travel_beside_the_gold_ones(encoder: ProductEncoder, schema: Schema) -> None:
    color = schema.names.index("Color")
    known = Schema(tuple(replace(a, options=("red",) if a.name == "Color" else ()) for a in schema.attributes))
    targets = TargetEncoder(known, UnlabelledMentions.learn([], known))
    labelled = product("a red shirt, red", spans=(Span("Color", 2, 5, "red"),))
    batch = batch_of(encoder, labelled, product("red", spans=()), targets=targets).targets
    assert batch.pair_rows.tolist() == [0, 1]
    assert batch.pair_attributes.tolist() == [color, color]
    assert batch.pair_tags.tolist() == [[0, 1, 0, 0, UNKNOWN], [UNKNOWN, 0, 0, 0, 0]]
    assert batch.cells[:, color].tolist() == [CellState.LOCATED, CellState.BLANK]


def test_a_teachers_labels_travel_with_its_confidence(encoder: ProductEncoder, schema: Schema) -> None:
    color = schema.names.index("Color")
    value = Value.from_span(Span("Color", 2, 5, "red"), 0.95)
    teacher = Teacher([Prediction("p", (value,), {"Color": 0.75})], schema, high=0.9, low=0.1)
    blank = product("a red shirt", spans=())
    labelled = Product("q", {"text": "a red shirt"}, spans=(Span("Color", 2, 5, "red"),))
    batch = batch_of(encoder, blank, labelled, targets=TargetEncoder(schema, teacher=teacher)).targets
    assert batch.pair_tags.tolist() == [[0, 1, 0]] * 2
    assert batch.pair_weights.tolist() == pytest.approx([0.95, 0.0])
    assert batch.range_targets[:, color].tolist() == pytest.approx([0.75, 0.0])
    assert int((batch.range_targets > 0).sum()) == 1
    assert not batch_of(encoder, blank).targets.range_targets.any()


def test_known_options_are_one_row_per_cell_padded_to_the_most(encoder: ProductEncoder, schema: Schema) -> None:
    color, material = schema.names.index("Color"), schema.names.index("Material")
    options = {"Color": ("red", "blue"), "Material": ("cotton", "linen", "silk")}
    known = Schema(tuple(replace(a, options=options.get(a.name, ())) for a in schema.attributes))
    several = product("shirt", table={"Color": ("blue",), "Material": ("silk", "cotton")})
    batch = batch_of(
        encoder, several, product("bag"), product("red", table={"Color": ("red",)}), targets=TargetEncoder(known)
    ).targets
    assert [t.tolist() for t in batch.choices] == [
        [0, 0, 2],
        [color, material, color],
        [[1, -1], [2, 0], [0, -1]],
    ]


def test_a_batch_without_known_options_has_none_to_choose(encoder: ProductEncoder) -> None:
    batch = batch_of(encoder, product("a red shirt", spans=()), targets=TargetEncoder(encoder.schema)).targets
    assert batch.choice_options.shape == (0, 1)
    assert batch.choices is None


# ---- the data set --------------------------------------------------------------------------------------------------


def test_items_are_windows_so_that_a_long_text_cannot_fill_a_batch(encoder: ProductEncoder) -> None:
    data = LabelledProducts([product(LONG * 10), product("red shirt")], encoder, TargetEncoder(encoder.schema))
    assert len(data) == len(encoder.encode(product(LONG * 10)).windows) + 1
    assert (data.products, data.left_out) == (2, 0)
    assert data.lengths() == [len(item.window.ids) for item in data.items]
    assert max(data.lengths()) <= encoder.config.text.max_tokens
    sampler = BucketSampler(data.lengths(), 4, seed=0)
    collator = Collator(encoder, None)
    assert {len(collator([data[i] for i in batch])["input_ids"]) for batch in sampler} <= {1, 2, 3, 4}


def test_rows_that_teach_nothing_are_left_out_and_counted(encoder: ProductEncoder) -> None:
    marked = replace(product("red"), error="line 3 is no JSON")
    data = LabelledProducts([marked, product(" "), product("red shirt")], encoder, TargetEncoder(encoder.schema))
    assert (len(data), data.products, data.left_out) == (1, 1, 2)


def test_windows_of_one_product_in_a_batch_share_its_photo(encoder: ProductEncoder) -> None:
    data = LabelledProducts([product(LONG, RED), product("blue", BLUE)], encoder, TargetEncoder(encoder.schema))
    batch = Inputs.from_tensors(Collator(encoder, LOADER)([data[i] for i in range(len(data))]))
    assert len(batch.pixels) == 2
    assert batch.image_index.flatten().tolist() == [0] * (len(data) - 1) + [1]


def test_a_collator_in_a_loader_process_does_the_same(encoder: ProductEncoder, products: list[Product]) -> None:
    data = LabelledProducts(products[:4], encoder, TargetEncoder(encoder.schema))
    items = [data[i] for i in range(len(data))]
    collator = Collator(encoder, LOADER)
    copy = pickle.loads(pickle.dumps(collator))
    for name, tensor in collator(items).items():
        assert torch.equal(tensor, copy(items)[name])


# ---- the order -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(1, 200), max_size=200),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
)
def test_each_epoch_has_every_item_once(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    sampler = BucketSampler(lengths, batch_size, seed, bucket=2)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)


def test_the_batch_that_is_not_full_comes_last() -> None:
    sampler = BucketSampler(list(range(22)), 4, seed=0)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        assert [len(batch) for batch in sampler] == [4, 4, 4, 4, 4, 2]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = list(range(100))

    def batches(seed: int, epoch: int) -> list[list[int]]:
        sampler = BucketSampler(lengths, 8, seed)
        list(sampler)  # what was drawn before does not matter
        sampler.set_epoch(epoch)
        return list(sampler)

    assert batches(0, 3) == batches(0, 3)
    assert batches(0, 3) != batches(0, 4)
    assert batches(0, 3) != batches(1, 3)


def test_batches_are_similar_in_length_and_come_in_random_order() -> None:
    lengths = [int(n) for n in np.random.default_rng(0).integers(5, 200, 960)]
    batches = list(BucketSampler(lengths, 32, seed=0))
    longest = [max(lengths[i] for i in batch) for batch in batches]
    padded = sum(32 * n for n in longest)
    assert padded < 1.1 * sum(lengths)  # in random batches: about 1.9
    assert any(a > b for a, b in pairwise(longest))
    assert any(a < b for a, b in pairwise(longest))


def epochs(loader: object, count: int) -> list[list[int]]:
    """What a loader over item numbers gives in each epoch, as a Trainer asks for it."""
    seen = []
    for epoch in range(count):
        loader.set_epoch(epoch)
        seen.append([i for batch in loader for i in batch.tolist()])
    return seen


def loader_of_numbers(processes: int = 1, process: int = 0) -> object:
    sampler = BucketSampler(list(range(22)), 4, seed=0)
    plain = torch.utils.data.DataLoader(list(range(22)), batch_sampler=sampler, collate_fn=torch.tensor)
    return prepare_data_loader(plain, num_processes=processes, process_index=process, put_on_device=False)


def test_devices_share_out_every_epoch_anew_and_lose_nothing() -> None:
    first, second = (epochs(loader_of_numbers(2, device), 2) for device in range(2))
    for epoch in range(2):
        assert set(first[epoch]) | set(second[epoch]) == set(range(22))
    assert first[0] != first[1]


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    whole = epochs(loader_of_numbers(), 3)
    rest = skip_first_batches(loader_of_numbers(), 2)
    rest.set_epoch(2)
    assert [i for batch in rest for i in batch.tolist()] == whole[2][8:]
