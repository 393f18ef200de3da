"""The main job on a catalogue drawn for it: draw, train, extract from unseen products, evaluate, fill, report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.errors import DataError
from attrex.evaluation.evaluate import evaluate_extractor
from attrex.evaluation.metrics import Scores
from attrex.filling.changes import write_filled
from attrex.filling.fill import fill_table
from attrex.filling.report import FillReport, attributes_asked, found_kinds
from attrex.inference.extractor import Extractor
from attrex.io.atomic import write_json
from attrex.io.predictions import PredictionFile
from attrex.io.readers import read_products
from attrex.progress import Progress, note, silent
from attrex.reports.compose import report_page
from attrex.shop.shop import DEFAULT_SHOP, SHOP_FILE, Shop
from attrex.training.train import train_model
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import ValueNormalizer

SETTINGS = (
    "text.max_tokens=128",
    "image.model=efficientnet-lite0-s16",  # colours and patterns are seen close by ...
    "image.size=64",  # ... and at 64 pixels, where a step takes half as long
    "training.scheme=partial",
    "training.text_layers=3",
    "training.image_trainable=true",
    "values.loss_weight=0.3",  # in 150 steps, more would be lost in tagging
    "training.epochs=3",
    "training.evaluations=1",
    "training.fusion_learning_rate=5e-4",  # the photo is learned within a few hundred steps
    "training.image_learning_rate=5e-5",
)
"""Preset `small`, cut down so that two CPU cores need about three minutes."""
MARKER = "demo.json"
"""Tells that a directory holds a demo, and which."""
DEMO_AMBIGUOUS_SHARE = 0.75
"""Most texts of the demo name several colours: with so few products the photo has to be worth learning from."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What a run of the demo measured, and where its files are."""

    scores: Scores
    photo_use: dict[str, float]  #: of :func:`photo_use`
    cells: FillReport
    files: dict[str, Path]  #: what it is -> where it is; ``report`` is the page to look at


def run(
    out: Path,
    *,
    products: int = 800,
    unseen: int = 200,
    seed: int = 0,
    config: Config | None = None,
    progress: Progress = silent,
) -> Demo:
    """Run the demo into the directory ``out``.

    ``products`` to train on, ``unseen`` ones to extract from; ``config``: other settings than the demo's own. What an
    earlier demo left in ``out`` is replaced. Raises :class:`DataError` for a directory that holds anything else.
    """
    config = config or Config.load("small", [*SETTINGS, f"training.seed={seed}"])
    data, model, values, metrics = (out / name for name in ("data", "model", "values.jsonl", "metrics.json"))
    _clear(out)
    write_json(out / MARKER, {"products": products, "unseen": unseen, "seed": config.training.seed})
    _note_step(progress, 1, f"drawing {products:,} products to train on and {unseen:,} to extract from: {data}")
    write_catalogue(
        data,
        train=products,
        valid=max(12, products // 20),
        test=unseen,
        seed=seed,
        image_size=96,
        ambiguous_share=DEMO_AMBIGUOUS_SHARE,
    )
    training, validation, test = (list(read_products(data / f"{s}.jsonl")) for s in ("train", "valid", "test"))

    _note_step(progress, 2, f"training on text and photos: {model}")
    shop = Shop.load(data / SHOP_FILE)
    train_model(training, validation, model, config=config, shop=shop, progress=progress, trackers=[])

    _note_step(progress, 3, "extracting from products it has not seen")
    extractor = Extractor.load(model)
    result = evaluate_extractor(extractor, test, evidence=True)
    rows = PredictionFile(values).write(result.predictions)
    write_json(metrics, result.to_json())
    photo = photo_use(extractor, data / "test.jsonl", test, result.predictions)

    filled, changes = out / "filled.csv", out / "changes.csv"
    _note_step(progress, 4, f"filling the blank cells of their table, in the shop's own words: {filled}")
    cells = fill_blanks(training, test, result.predictions, filled, changes, extractor.model.shop)

    _note_step(progress, 5, "writing the report")
    models = [(str(model), extractor)]
    report = report_page(
        out / "report.html", test, models, most=60, title="Attrex on a drawn catalogue", evaluated=result
    )
    written = {f"values of {rows} products": values, "metrics": metrics, "changes of the table": changes}
    return Demo(result.scores, photo, cells, {**written, "filled table": filled, "report": report})


def fill_blanks(
    known: Sequence[Product],
    products: Sequence[Product],
    found: Sequence[Prediction],
    out: Path,
    changes: Path,
    shop: Shop = DEFAULT_SHOP,
) -> FillReport:
    """The products' table with its blank cells filled, and what changed; words are learned from ``known`` as well."""
    normalizer = ValueNormalizer.fit(known, shop=shop)
    normalizer.refine(products, found)
    kinds = found_kinds(value for prediction in found for value in prediction.values)
    report = FillReport(asked=attributes_asked(kinds, shop.schema))
    rows = fill_table(products, found, normalizer)
    return write_filled(rows, out, changes, order=normalizer.attributes, report=report)


def color_accuracy(
    products: Sequence[Product],
    predictions: Sequence[Prediction],
    ids: Collection[str],
    normalizer: ValueNormalizer | None = None,
) -> float:
    """Share of the products in ``ids`` whose colour is right: that of a product's own spans.

    A model with a value head is right if its surest value is; of another one all colours that it reads must be the
    product's own, and no others. ``normalizer``: compare in the shop's words; None: as strings, in any case.
    """

    def word(text: str) -> str:
        return ((normalizer and normalizer.normalize("Color", text)) or text).casefold()

    right = total = 0
    for product, prediction in zip(products, predictions, strict=True):
        if product.id in ids:
            gold = {word(s.text) for s in product.spans or () if s.attribute == "Color"}
            found = sorted((v for v in prediction.values if v.attribute == "Color"), key=lambda v: -v.confidence)
            read = {word(v.value) for v in (found[:1] if any(v.decided_by for v in found) else found)}
            right, total = right + (read == gold), total + 1
    return right / max(1, total)


def trapped(path: Path, trap: str) -> dict[str, int]:
    """Ids of a drawn file's products that carry a trap, with the number of colours their texts mention."""
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return {r["id"]: len(r["colors_mentioned"]) for r in rows if trap in r["traps"]}


def swap_photos(products: Sequence[Product]) -> list[Product]:
    """Every product with the photo of the next one: what the photo says is now about something else."""
    return [replace(p, images=q.images) for p, q in zip(products, [*products[1:], products[0]], strict=True)]


def photo_use(
    extractor: Extractor, path: Path, test: Sequence[Product], predictions: Sequence[Prediction]
) -> dict[str, float]:
    """What the photo is worth: accuracy in texts that name several colours, one of which only the photo tells.

    ``path`` is the drawn file of ``test``, ``predictions`` what was extracted with the products' own photos.
    """
    ids, normalizer = trapped(path, "ambiguous_color"), extractor.model.normalizer
    asked, others = [p for p in test if p.id in ids], [p for p in swap_photos(test) if p.id in ids]
    blind = list(extractor.extract(asked, evidence=False, photos=False))
    swapped = list(extractor.extract(others, evidence=False))
    return {
        "texts": len(ids),
        "the product's own": color_accuracy(test, predictions, ids, normalizer),
        "taken away": color_accuracy(asked, blind, ids, normalizer),
        "another product's": color_accuracy(asked, swapped, ids, normalizer),
        "guessing among those named": sum(1 / n for n in ids.values()) / max(1, len(ids)),
    }


def _note_step(progress: Progress, step: int, what: str) -> None:
    note(progress, f"{step}/5 {what}")


def _clear(out: Path) -> None:
    """An earlier demo makes room; a directory with anything else in it is left alone."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()) and not (out / MARKER).exists():
        raise DataError(f"{out} is not empty and holds no demo (it has no {MARKER}); choose another directory")
    shutil.rmtree(out / "model", ignore_errors=True)
    (out / "values.jsonl.part").unlink(missing_ok=True)
