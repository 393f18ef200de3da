"""An export says what its model says, without torch, and is refused where it does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from attrex import pipeline
from attrex.config import Config
from attrex.encoding.batching import Arrays
from attrex.errors import CheckpointError, ConfigError, DataError
from attrex.evaluation import parity
from attrex.evaluation.parity import export_checked
from attrex.evaluation.table import Answer
from attrex.inference.checkpoint import Model
from attrex.inference.engine import EngineOutput
from attrex.inference.export import write_export
from attrex.inference.extractor import Extractor
from attrex.inference.onnx_engine import LENGTH_STEP, load_export
from attrex.inference.quantise import quantise, quantised_weights
from attrex.io.readers import write_products
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

TEXT_ONLY = {"image": {"model": None}, "fusion": {"kind": "none"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "tir": {},
    "several photos": {"image": {"max_images": 2}},
    "softmax and heads": {"fusion": {"softmax": True, "heads": 4}},
    "text only": TEXT_ONLY,
    "flat": {"range": {"kind": "none"}},
    "flat text": TEXT_ONLY | {"range": {"kind": "none"}},
    "concat": {"fusion": {"kind": "concat"}},
    "guided by names": {"guidance": {"kind": "bert"}},
    "windows": {"text": {"max_tokens": 32, "overlap": 12}},
    "direct emissions": {"decoder": {"direct": True}, "text": {"category": True, "split_words": True}},
}


def build(config: Config, schema: Schema, changes: dict[str, Any]) -> Model:
    """Untrained, with S_thr = 0: it finds spans of every attribute."""
    raw = config.model_dump()
    for section, values in changes.items():
        raw[section] |= values
    torch.manual_seed(0)
    model = new_model(Config.parse(raw), Shop(schema=schema))
    if model.network.concat is not None:
        torch.nn.init.ones_(model.network.concat.norm.weight)  # as if trained: at the start regions are silent
    model.thresholds = {"range": 0.0}
    return model


@pytest.fixture(scope="module")
def sample(products: list[Product]) -> list[Product]:
    """With several photos, none, a broken one; and a text of nothing but space."""
    first, second, third, *rest = products[:12]
    return [
        replace(first, images=()),
        replace(second, images=(*second.images, *rest[0].images)),
        replace(third, images=(b"no photo",)),
        Product("blank", {"title": " "}, images=first.images),
        *rest,
    ]


@pytest.fixture(scope="module")
def exported(tiny: Config, schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    model = build(tiny, schema, {})
    return model, write_export(model, tmp_path_factory.mktemp("export") / "onnx")


def assert_same(one: list[Prediction], other: list[Prediction]) -> None:
    assert sum(len(p.values) for p in one) > 30
    for a, b in zip(one, other, strict=True):
        assert (a.id, a.coverage, a.warnings) == (b.id, b.coverage, b.warnings)
        assert [v.key for v in a.values] == [v.key for v in b.values]
        assert [v.confidence for v in a.values] == pytest.approx([v.confidence for v in b.values], abs=1e-4)
        assert a.range == pytest.approx(b.range, abs=1e-4)
        for v, w in zip(a.values, b.values, strict=True):
            assert [e.image for e in v.regions] == [e.image for e in w.regions]
            for e, f in zip(v.regions, w.regions, strict=True):
                assert sum(e.weights, ()) == pytest.approx(sum(f.weights, ()), abs=1e-2)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_says_what_its_model_says(
    tiny: Config, schema: Schema, sample: list[Product], tmp_path: Path, name: str
) -> None:
    model = build(tiny, schema, VARIANTS[name])
    expected = list(Extractor(model, device="cpu").extract(sample, batch_size=5))
    export = Extractor.load(write_export(model, tmp_path / "onnx"))
    assert export.engine.name == "onnx"
    assert_same(expected, list(export.extract(sample, batch_size=5)))


@pytest.mark.parametrize("name", ["tir", "flat"])
def test_attributes_that_are_given_are_the_only_ones_looked_for(
    tiny: Config, schema: Schema, sample: list[Product], tmp_path: Path, name: str
) -> None:
    model = build(tiny, schema, VARIANTS[name])
    some = frozenset(schema.names[:3])
    expected = list(Extractor(model, device="cpu").extract(sample, attributes=lambda product: some))
    export = Extractor.load(write_export(model, tmp_path / "onnx"))
    found = list(export.extract(sample, attributes=lambda product: some))
    assert set() < {v.attribute for p in found for v in p.values} <= some
    assert [[v.key for v in p.values] for p in found] == [[v.key for v in p.values] for p in expected]


def test_a_flat_export_keeps_to_the_category(
    tiny: Config, schema: Schema, sample: list[Product], tmp_path: Path
) -> None:
    shoes = [replace(product, category="Shoes") for product in sample]
    found = {}
    for mask in (False, True):
        known = Schema(schema.attributes, {"Shoes": schema.names[:3]})
        model = build(tiny, known, VARIANTS["flat"] | {"range": {"kind": "none", "mask_by_category": mask}})
        export = Extractor.load(write_export(model, tmp_path / str(mask)))
        found[mask] = [[v.key for v in p.values] for p in export.extract(shoes)]
        assert found[mask] == [[v.key for v in p.values] for p in Extractor(model, device="cpu").extract(shoes)]
    allowed = [[key for key in keys if key[0] in schema.names[:3]] for keys in found[False]]
    assert found[True] == allowed != found[False]
    assert any(allowed)


def test_regions_may_be_cached(exported: tuple[Model, Path], sample: list[Product], tmp_path: Path) -> None:
    expected = list(Extractor.load(exported[1]).extract(sample))
    for _ in range(2):
        assert_same(expected, list(Extractor.load(exported[1], cache_dir=tmp_path).extract(sample)))
    assert any(tmp_path.rglob("*.npy"))


def test_pairs_are_decoded_in_parts(
    exported: tuple[Model, Path], sample: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(Extractor(exported[0], device="cpu").extract(sample))
    monkeypatch.setattr("attrex.inference.onnx_engine.PAIRS_AT_ONCE", 7)
    assert_same(expected, list(Extractor.load(exported[1]).extract(sample)))


def test_no_range_no_pairs(exported: tuple[Model, Path], sample: list[Product]) -> None:
    found = list(Extractor.load(exported[1]).extract(sample, threshold=1.0))
    assert not any(p.spans or p.range for p in found)  # what is chosen needs no range


def test_extracting_from_an_export_imports_no_torch(
    exported: tuple[Model, Path], sample: list[Product], tmp_path: Path
) -> None:
    data = tmp_path / "data.jsonl"
    write_products(data, [replace(sample[0], images=())])
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"  # an import of it fails
        "from attrex.cli import app\n"
        f"app(['extract', {str(exported[1])!r}, {str(data)!r}, '--out', {str(tmp_path / 'out.jsonl')!r}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["values"]


def test_without_the_packages_it_says_what_to_install(
    exported: tuple[Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CheckpointError, match=r"runs with onnxruntime; install it: pip install 'attrex\[onnx\]'"):
        Extractor.load(exported[1])
    with pytest.raises(ConfigError, match=r"made with onnx and onnxruntime; install them: pip install"):
        write_export(exported[0], tmp_path / "onnx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"guidance": {"kind": "dynet"}}, "guidance.kind=dynet has no vector per attribute"),
        ({"fusion": {"kind": "concat_attention"}}, "fusion.kind=concat_attention cannot be traced"),
    ],
)
def test_models_that_cannot_be_exported_say_so(
    tiny: Config, schema: Schema, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        write_export(build(tiny, schema, change), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_an_export_has_its_own_precision(exported: tuple[Model, Path]) -> None:
    assert Extractor.load(exported[1], precision="auto").engine.name == "onnx"
    with pytest.raises(ConfigError, match="precision=bf16 is for torch"):
        Extractor.load(exported[1], precision="bf16")


def test_attention_and_recurrence_are_one_node_each(exported: tuple[Model, Path]) -> None:
    model, directory = exported
    text, decoder = (onnx.load(directory / f"{name}.onnx").graph.node for name in ("text", "decoder"))
    assert sum(n.op_type == "Attention" for n in text) == len(model.network.text.layers)
    assert [n.op_type for n in decoder].count("Scan") == 1
    assert "attrex" not in {n.domain for n in decoder}


def test_layers_that_do_more_than_berts_are_exported_as_they_are(
    tiny: Config, schema: Schema, sample: list[Product], tmp_path: Path
) -> None:
    model = build(tiny, schema, {})
    for layer in model.network.text.layers:
        layer.register_forward_hook(lambda module, args, output: output * 1.01)
    expected = list(Extractor(model, device="cpu").extract(sample))
    write_export(model, tmp_path / "onnx")
    assert not any(n.op_type == "Attention" for n in onnx.load(tmp_path / "onnx" / "text.onnx").graph.node)
    assert_same(expected, list(Extractor.load(tmp_path / "onnx").extract(sample)))


def test_a_backend_that_is_not_there(exported: tuple[Model, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs with backend onnx"):
        Extractor.load(exported[1], backend="torch")
    with pytest.raises(ConfigError, match="should be auto, torch or onnx, got 'tpu'"):
        Extractor.load(exported[1], backend="tpu")
    exported[0].save(tmp_path / "model")
    with pytest.raises(ConfigError, match="is no export; make one: attrex export"):
        Extractor.load(tmp_path / "model", backend="onnx")


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "decoder.onnx").unlink(), "decoder.onnx missing"),
        (lambda d: (d / "text.onnx").write_bytes(b"no graph"), "is damaged"),
        (lambda d: (d / "tokenizer/tokenizer.json").write_text("{}"), "is damaged"),
        (lambda d: _edit(d / "export.json", crf={}), "is damaged"),
        (lambda d: _edit(d / "export.json", format=99), "format 99, this version reads 2; train or export it again"),
    ],
)
def test_a_damaged_export_is_told(
    tiny: Config, schema: Schema, tmp_path: Path, damage: Callable[[Path], Any], words: str
) -> None:
    directory = write_export(build(tiny, schema, TEXT_ONLY), tmp_path / "onnx")
    damage(directory)
    with pytest.raises(CheckpointError, match=words):
        Extractor.load(directory)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"region_width": -1}, "expected a size from 0 to 65,536, got -1"),
        ({"region_width": 10**12}, "expected a size from 0 to 65,536, got 1000000000000"),
        ({"regions": [True, 2]}, "expected a size from 0 to 65,536, got True"),
        ({"region_width": 7}, "is damaged"),
        ({"crf": {"start": [0.0], "between": [[0.0]], "end": [0.0]}}, "is damaged: what its graphs give does not fit"),
    ],
)
def test_a_description_that_does_not_fit_its_graphs_is_told(
    exported: tuple[Model, Path], sample: list[Product], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    copy = tmp_path / "onnx"
    shutil.copytree(exported[1], copy)
    _edit(copy / "export.json", **changes)
    with pytest.raises(CheckpointError, match=words):
        list(Extractor.load(copy).extract(sample[:2]))


# --- parity -----------------------------------------------------------------------------------------------------------


def test_parity_is_measured_and_kept(tiny: Config, schema: Schema, products: list[Product], tmp_path: Path) -> None:
    model = build(tiny, schema, {})
    found = export_checked(model, tmp_path / "onnx", products[:20])
    assert found.products == 20
    assert found.agreement_f1 == pytest.approx(1.0)
    assert found.export_f1 is not None
    assert found.model_f1 == pytest.approx(found.export_f1)
    assert found.confidence_difference < 1e-4
    kept = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert kept["parity"] == found.to_json()
    assert kept["weights"] == "fp32"
    assert not list(tmp_path.glob("*.part"))

    unlabelled = [replace(p, spans=None) for p in products[:20]]
    again = export_checked(model, tmp_path / "onnx", unlabelled)  # in place of the earlier one
    assert (again.model_f1, again.export_f1) == (None, None)
    assert again.lost == pytest.approx(0.0)


def test_int8_keeps_the_graph_small_and_is_marked(
    tiny: Config, schema: Schema, products: list[Product], tmp_path: Path
) -> None:
    model = build(tiny, schema, TEXT_ONLY)
    export_checked(model, tmp_path / "fp32", products[:10])
    found = export_checked(model, tmp_path / "int8", products[:10], int8=True, tolerance=1.0)
    assert found.confidence_difference > 0
    size = {name: (tmp_path / name / "text.onnx").stat().st_size for name in ("fp32", "int8")}
    assert size["int8"] < 0.9 * size["fp32"]
    about = json.loads((tmp_path / "int8" / "export.json").read_text())
    assert (about["weights"], about["scales"]) == ("int8", "token")
    assert about["parity"]["unsteady"] == 0
    assert list(Extractor.load(tmp_path / "int8").extract(products[:3]))


def test_weights_have_seven_bits_and_a_scale_for_each_output_channel() -> None:
    integers, scales = quantised_weights(np.array([[6.3, 0.0], [-3.2, -0.126], [0.04, 0.001]], np.float32))
    assert integers.tolist() == [[63, 0], [-32, -63], [0, 0]]
    assert scales == pytest.approx([0.1, 0.002])


def test_a_row_in_8_bits_is_rounded_by_its_own_largest_number(tmp_path: Path) -> None:
    """What a row gives is worked out by hand, and the same alone and beside a row that is a thousand times as large."""
    tensor, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    weights = onnx.numpy_helper.from_array(np.array([[0.63, 1.26], [-0.63, 0.02]], np.float32), "w")
    graph = onnx.helper.make_graph(
        [make("MatMul", ["x", "w"], ["y"])],
        "product",
        [tensor("x", onnx.TensorProto.FLOAT, ["rows", "tokens", 2])],
        [tensor("y", onnx.TensorProto.FLOAT, None)],
        [weights],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "g.onnx")
    quantise(tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    row = np.array([1.27, 0.504], np.float32)  # in steps of 0.01: 127 and 50
    alone = session.run(None, {"x": row[None, None]})[0]
    assert alone[0, 0] == pytest.approx(
        [0.01 * (127 * 63 - 50 * 63) * 0.01, 0.01 * (127 * 63 + 50 * 1) * 0.02], rel=1e-5
    )
    beside = session.run(None, {"x": np.stack([[row, row * 0], [row * 1000, row]])})[0]
    assert (beside[[0, 1], [0, 1]] == alone[0, 0]).all()
    assert (beside[0, 1] == 0).all()


@pytest.mark.parametrize("int8", [False, True])
def test_a_product_gets_the_same_alone_and_in_any_company(
    choosing: Callable[..., Model], sample: list[Product], tmp_path: Path, int8: bool
) -> None:
    model = choosing(text={"max_tokens": 32, "overlap": 12})
    export = Extractor.load(write_export(model, tmp_path / "onnx", int8=int8), deterministic=True)
    together = list(export.extract(sample, batch_size=16))
    for batch_size in (1, 5):
        others = list(export.extract(sample[::-1], batch_size=batch_size))[::-1]
        assert parity.steadiness(together, [others]) == (0, pytest.approx(0.0, abs=parity.STEADY))
    assert sum(len(p.values) for p in together) > 30


@pytest.mark.parametrize("int8", [False, True])
def test_rows_of_an_int8_export_are_padded_by_their_own_length(
    choosing: Callable[..., Model],
    sample: list[Product],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    int8: bool,
) -> None:
    """Padding moves the last digits, and rounding to 8 bits makes more of them now and then."""
    export = Extractor.load(write_export(choosing(), tmp_path / "onnx", int8=int8))
    run, widths = export.engine.run, defaultdict(set)

    def spy(arrays: Arrays, **options: Any) -> EngineOutput:
        for row, real in zip(arrays["input_ids"], arrays["token_mask"], strict=True):
            widths[row[real].tobytes()].add(len(row))
        return run(arrays, **options)

    monkeypatch.setattr(export.engine, "run", spy)
    for products in (sample, sample[::-3], sample[:1]):
        list(export.extract(products, batch_size=4))
    assert all(len(seen) == 1 for seen in widths.values()) == int8
    assert all(width % LENGTH_STEP == 0 for seen in widths.values() for width in seen) == int8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, values=p.values[1:]), r"other values in \d+ of them alone or among other products"),
        (
            lambda p: replace(p, values=tuple(replace(v, confidence=v.confidence - 0.01) for v in p.values)),
            r"in 0 of them .* confidences move by up to 0\.01, at most 0\.001 may be",
        ),
    ],
)
@pytest.mark.parametrize("repeat", ["read_alone", "read_regrouped"])
def test_an_export_that_says_something_else_in_other_company_is_refused(
    tiny: Config,
    schema: Schema,
    products: list[Product],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    repeat: str,
    change: Callable[[Prediction], Prediction],
    words: str,
) -> None:
    read = getattr(parity, repeat)
    monkeypatch.setattr(parity, repeat, lambda *given: [change(p) for p in read(*given)])
    with pytest.raises(CheckpointError, match=rf"refused: on 6 products .*{words}"):
        export_checked(build(tiny, schema, TEXT_ONLY), tmp_path / "onnx", products[:6], tolerance=1.0)
    assert not list(tmp_path.iterdir())


def test_products_that_change_and_confidences_that_move_are_counted() -> None:
    red, wool = Value("Color", "Red", 0.9), Value("Fabric", "Wool", 0.5)
    found = [Prediction("a", (red, wool)), Prediction("b", (red,)), Prediction("c")]
    moved = [Prediction("a", (replace(red, confidence=0.7), wool)), *found[1:]]
    other = [found[0], Prediction("b", (replace(red, value="Blue"),)), Prediction("c", (wool,))]
    assert parity.steadiness(found, [found]) == (0, 0.0)
    assert parity.steadiness(found, [found, moved]) == (0, pytest.approx(0.2))
    assert parity.steadiness(found, [other, moved]) == (2, pytest.approx(0.2))
    whole = parity.Parity(3, 1.0, None, None, 0.0, 0.002)
    assert whole.kept
    assert not replace(whole, unsteady=1, tolerance=1.0).kept
    assert not replace(whole, regrouped_difference=0.0011, tolerance=1.0).kept


def test_the_repeat_puts_short_texts_beside_long_ones() -> None:
    class Recorder:
        batches: ClassVar[list[list[str]]] = []

        def extract(self, products: list[Product], **options: Any) -> list[Prediction]:
            self.batches.append([p.id for p in products])
            return [Prediction(p.id) for p in products]

    shelf = [Product(str(length), {"text": "x" * length}) for length in (4, 1, 7, 2, 6, 3, 5)]
    found = parity.read_regrouped(Recorder(), shelf)  # type: ignore[arg-type]
    assert Recorder.batches == [["1", "7", "2", "6", "3"], ["5", "4"]]
    assert [p.id for p in found] == [p.id for p in shelf]


def test_deterministic_is_refused_where_values_hang_on_the_batch(exported: tuple[Model, Path], tmp_path: Path) -> None:
    model, directory = exported
    old = shutil.copytree(directory, tmp_path / "old")
    _edit(old / "export.json", weights="int8")  # as before each token had a scale of its own
    Extractor.load(old)
    with pytest.raises(
        ConfigError, match=r"`deterministic` means .* one scale for a whole batch; export the model again"
    ):
        Extractor.load(old, deterministic=True)
    assert Extractor.load(directory, deterministic=True).engine.batch_invariant
    with pytest.raises(ConfigError, match=r"bf16 rounds a product .* in another batch; take `precision` fp32"):
        Extractor(model, device="cpu", precision="bf16", deterministic=True)
    rough = Extractor(model, device="cpu", precision="bf16")
    with pytest.raises(ConfigError, match="take `precision` fp32"):
        pipeline.extract(rough, ["red wool"], deterministic=True)
    settings = model.config.training.model_copy(update={"precision": "bf16"})
    trained_in_bf16 = replace(model, config=model.config.model_copy(update={"training": settings}))
    assert Extractor(trained_in_bf16, device="cpu", deterministic=True).engine.batch_invariant


@pytest.mark.parametrize(("int8", "advice"), [(True, "leave out int8"), (False, "please report it")])
def test_an_export_that_finds_other_values_is_refused_and_leaves_nothing(
    tiny: Config,
    schema: Schema,
    products: list[Product],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    int8: bool,
    advice: str,
) -> None:
    model = build(tiny, schema, {})
    whole = write_export

    def spoilt(model: Model, directory: Path, *, int8: bool) -> Path:
        other = build(model.config, model.schema, {})
        with torch.no_grad():
            other.network.decoder.output.weight.neg_()
        return whole(other, directory, int8=int8)

    monkeypatch.setattr(parity, "write_export", spoilt)
    with pytest.raises(CheckpointError, match=rf"refused: on 10 products it loses .* {advice}"):
        export_checked(model, tmp_path / "onnx", [replace(p, spans=None) for p in products[:10]], int8=int8)
    assert not list(tmp_path.iterdir())


def test_labels_of_other_attributes_do_not_excuse_an_export_that_finds_nothing(
    tiny: Config, schema: Schema, products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = parity.Parity(
        9, agreement_f1=0.2, model_f1=0.7, export_f1=0.7, confidence_difference=0.0, tolerance=parity.TOLERANCE
    )
    assert found.lost == 0
    assert not found.kept  # what it lost is not labelled
    assert replace(found, tolerance=0.8).kept
    refusal = parity._refusal(replace(found, tolerance=0.3, cells_agreement=0.9), True)
    assert "agree with the model's by an F1 of 0.2000, and its values in 90.0% of the cells; 0.7 is least" in refusal
    agreeing = replace(found, agreement_f1=0.97)
    assert agreeing.kept
    assert not replace(agreeing, cells_agreement=0.94).kept
    monkeypatch.setattr(parity, "write_export", lambda model, directory, int8: None)
    monkeypatch.setattr(Extractor, "load", lambda directory: Extractor(build(tiny, schema, {}), device="cpu"))
    monkeypatch.setattr(parity, "agreement_f1", lambda gold, found: 0.2)
    foreign = [Product("a", {"text": "12 V red"}, spans=(Span("Voltage", 0, 4, "12 V"),))]
    with pytest.raises(CheckpointError, match=r"it loses 0\.8000 of TAG-F1 against what the model finds"):
        export_checked(build(tiny, schema, {}), tmp_path / "onnx", foreign)
    monkeypatch.setattr(parity, "_compare_runs", lambda *args: found)
    with pytest.raises(CheckpointError, match=r"its finds agree with the model's by an F1 of 0\.2000"):
        export_checked(build(tiny, schema, {}), tmp_path / "onnx", products[:3])


def test_agreement_is_that_of_spans_where_a_model_finds_none() -> None:
    gold = [Product("a", {"text": "12 V red"}, spans=())]
    chosen, said = Value("Color", "Red", 0.9, decided_by="photo"), Value.from_span(Span("Color", 5, 8, "red"), 0.9)
    assert parity.agreement_f1(gold, [Prediction("a", (chosen,))]) == 1.0
    assert parity.agreement_f1(gold, [Prediction("a", (chosen, said))]) == 0.0


def test_cells_agree_where_both_give_the_same_value() -> None:
    red, blue = Answer("Red", 0.9), Answer("Blue", 0.4)
    reference = [{"Color": red, "Fit": blue}, {"Color": red}, {}]
    assert parity.cells_agreement(reference, reference) == 1.0
    assert parity.cells_agreement(reference, [{"Color": Answer("Red", 0.5)}, {"Color": blue}, {}]) == 1 / 3
    assert parity.cells_agreement([{}], [{}]) == 1.0


def test_finds_that_nobody_can_judge_count_as_in_training(tiny: Config, schema: Schema) -> None:
    product = Product("a", {"text": "red, wool"}, table={"Color": ("red",)}, spans=(Span("Color", 0, 3, "red"),))
    name = next(a for a in schema.names if a != "Color")
    found = Prediction("a", tuple(Value.from_span(Span(a, 0, 3, "red"), 0.9) for a in ("Color", name)))
    for unknown, left in (("negative", {"Color", name}), ("masked", {"Color"})):
        model = build(tiny, schema, {"range": {"unknown": unknown}})
        assert {v.attribute for v in parity.judged(model, [product], [found])[0].values} == left
        assert parity.judged(model, [replace(product, complete=True)], [found]) == [found]


def test_thresholds_are_chosen_again_for_the_exports_scores(
    tiny: Config, schema: Schema, products: list[Product], tmp_path: Path
) -> None:
    model = build(tiny, schema, {})
    model.thresholds = {"range": 0.0}
    export_checked(model, tmp_path / "onnx", products[:10])
    chosen = json.loads((tmp_path / "onnx" / "thresholds.json").read_text())["range"]
    before, now = (
        parity.score(
            products[:10], list(Extractor(model, device="cpu").extract(products[:10], threshold=at)), bootstrap=0
        )
        for at in (0.0, chosen)
    )
    assert now.tag.f1 >= before.tag.f1
    assert model.thresholds == {"range": 0.0}


def test_what_is_in_the_way_is_left_alone(
    exported: tuple[Model, Path], products: list[Product], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(CheckpointError, match="holds no export; choose another directory"):
        export_checked(exported[0], tmp_path / "mine", products[:3])
    assert (tmp_path / "mine" / "diary.txt").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="is the directory you are in"):
        export_checked(exported[0], Path("."), products[:3])
    with pytest.raises(DataError, match="the sample has none that can be read"):
        export_checked(exported[0], tmp_path / "new", [Product("bad", {}, error="line 1")])


def test_what_the_shop_calls_its_values_is_exported(exported: tuple[Model, Path]) -> None:
    model, directory = exported
    assert ValueNormalizer.load(directory / NORMALIZER_FILE).to_json() == model.normalizer.to_json()


def test_an_export_knows_what_the_shop_calls_its_values(
    exported: tuple[Model, Path], products: list[Product], tmp_path: Path
) -> None:
    model, directory = exported
    copy = shutil.copytree(directory, tmp_path / "copy")
    ValueNormalizer.fit(products).save(copy / NORMALIZER_FILE)
    assert load_export(copy).normalizer.to_json() == ValueNormalizer.fit(products).to_json()
    (copy / NORMALIZER_FILE).unlink()  # as in exports of older models: the values of the schema are known
    assert load_export(copy).normalizer.to_json() == ValueNormalizer.fit(shop=model.shop).to_json()
