"""The main job on a catalogue drawn for it: a shop's export with blank cells comes back filled, and is looked at.

The drawn products tell what nobody can look up in a real shop: whether the filled cells are right, and whether what
only the photo shows was seen.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attrex.demo.catalogue import write_catalogue
from attrex.errors import DataError
from attrex.evaluation.evaluate import evaluate_extractor
from attrex.evaluation.metrics import Scores
from attrex.inference.extractor import Extractor
from attrex.io.atomic import atomic_write, write_json
from attrex.io.readers import read_products
from attrex.pipeline import Completion, complete
from attrex.progress import Progress, note, silent
from attrex.types import Prediction, Product
from attrex.vocabulary.normalizer import ValueNormalizer

SETTINGS = (
    "text.max_tokens=128",
    "text.split_words=false",  # these three: as its figures were measured
    "text.category=false",
    "decoder.direct=false",
    "image.model=efficientnet-lite0-s8",  # colours and patterns are seen close by ...
    "image.size=64",  # ... and at 64 pixels, where a step takes half as long
    "training.scheme=partial",
    "training.text_layers=3",
    "training.image_trainable=true",
    "values.loss_weight=0.3",  # in 160 steps, more would be lost in tagging
    "training.epochs=3.5",
    "training.evaluations=1",
    "training.fusion_learning_rate=5e-4",  # the photo is learned within a few hundred steps
    "training.image_learning_rate=5e-5",
)
"""Preset `small`, cut down so that two CPU cores need about three minutes."""
MARKER = "demo.json"
"""Tells that a directory holds a demo, and which."""
MINUTES = 10.0
"""Most of the training: more than it takes, but for very slow machines."""
PRECISION = 0.8
"""Asked of what is filled in: of so few products, some attributes are left to people."""
DEMO_AMBIGUOUS_SHARE = 0.75
"""Most texts of the demo name several colours: with so few products the photo has to be worth learning from."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What a run of the demo made, measured, and where its files are."""

    completion: Completion  #: the export and what became of its cells
    right: float  #: share of the filled blank cells that are what was drawn, 0..1
    scores: Scores  #: of products that are not in the export
    photo_use: dict[str, float]  #: of :func:`photo_use`, of the same
    files: dict[str, Path]  #: what it is -> where it is


def run(
    out: Path,
    *,
    products: int = 800,
    unseen: int = 200,
    seed: int = 0,
    config: str | Path = "small",
    settings: Sequence[str] = SETTINGS,
    progress: Progress = silent,
) -> Demo:
    """Run the demo into the directory ``out``.

    ``products`` of the export, ``unseen`` ones beside it to measure on; ``config`` and ``settings`` as
    for :func:`complete`. The same demo
    again goes on where it was interrupted, another one replaces it. Raises :class:`DataError` for a directory that
    holds anything else.
    """
    data, work, metrics = out / "data", out / "work", out / "metrics.json"
    made_of = {"products": products, "unseen": unseen, "seed": seed, "settings": [str(config), *settings]}
    _clear(out, made_of)
    note(progress, f"drawing an export of {products:,} products, and {unseen:,} others to measure on: {data}")
    write_catalogue(
        data,
        train=products,
        valid=max(12, products // 20),
        test=unseen,
        seed=seed,
        image_size=96,
        ambiguous_share=DEMO_AMBIGUOUS_SHARE,
    )
    export = write_export(data / "train.jsonl", out / "export.csv")
    completion = complete(
        export,
        out / "filled.csv",
        photos=data,
        minutes=MINUTES,
        precision=PRECISION,
        work=work,
        config=config,
        settings=[*settings, f"training.seed={seed}"],
        progress=progress,
    )
    note(progress, f"measuring on {unseen:,} products that it has not seen: {metrics}")
    extractor, test = Extractor.load(completion.model), list(read_products(data / "test.jsonl"))
    result = evaluate_extractor(extractor, test, evidence=False)
    write_json(metrics, result.to_json())
    return Demo(
        completion,
        share_right(completion.changes, data / "train.jsonl"),
        result.scores,
        photo_use(extractor, data / "test.jsonl", test, result.predictions),
        {
            "export": export,
            "filled": completion.filled,
            "every value, and what became of it": completion.changes,
            "measures": metrics,
            "model": completion.model,
            "the page to look at": completion.report,
        },
    )


def write_export(labelled: Path, out: Path) -> Path:
    """A drawn file's products as a shop would export them, in CSV; return its path.

    A row a product, a column an attribute, and nothing of what the shop does not know: blank cells stay blank.
    """
    with labelled.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    texts, attributes = (list(dict.fromkeys(name for r in rows for name in r[key])) for key in ("fields", "truth"))
    with atomic_write(out) as file:
        table = csv.DictWriter(file, ["sku", *texts, "category", "photo", *attributes], lineterminator="\n")
        table.writeheader()
        for r in rows:
            cells = {name: values[0] for name, values in r["attributes"].items()}
            table.writerow({"sku": r["id"], **r["fields"], "category": r["category"], "photo": r["image"], **cells})
    return out


def share_right(changes: Path, labelled: Path) -> float:
    """Share of the filled cells of a list of changes that are what was drawn, 0..1."""
    with labelled.open(encoding="utf-8") as stream:
        truth = {r["id"]: r["truth"] for r in map(json.loads, stream)}
    with changes.open(encoding="utf-8", newline="") as file:
        filled = [row for row in csv.DictReader(file) if row["outcome"] == "filled"]
    right = [row["value"] in truth[row["id"]].get(row["attribute"], ()) for row in filled]
    return sum(right) / max(1, len(right))


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


def _clear(out: Path, made_of: dict[str, object]) -> None:
    """Another demo makes room; a directory with anything else in it is left alone."""
    out.mkdir(parents=True, exist_ok=True)
    marker = out / MARKER
    if any(out.iterdir()) and not marker.exists():
        raise DataError(f"{out} is not empty and holds no demo (it has no {MARKER}); choose another directory")
    if not marker.exists() or json.loads(marker.read_text(encoding="utf-8")) != made_of:
        shutil.rmtree(out / "work", ignore_errors=True)
    write_json(marker, made_of)
