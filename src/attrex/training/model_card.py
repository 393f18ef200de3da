"""The README of a model directory: what it learned from, what was assumed, how good it is, how to use it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from attrex.inference.checkpoint import Model
from attrex.systems import system_info

RELIABILITY_PLOT = "calibration.svg"
"""The picture of the card's confidences, in the model directory."""


def model_card(model: Model) -> str:
    """Markdown with the front matter that the Hugging Face hub reads."""
    found = model.metrics.get("validation")
    lines = [
        "---",
        "library_name: attrex",
        "pipeline_tag: token-classification",
        "tags: [attribute-value-extraction, e-commerce]",
        "---",
        f"# {model.config.system_name}: attribute values for {len(model.schema.names)} attributes",
        "",
        *_origin(model),
        "",
        "## Measured on the validation products",
        "",
        *(_score_lines(found) if found else ["Not measured."]),
        *_repeated_texts(model.metrics),
        "",
        *_calibration_lines(model.metrics.get("calibration")),
        "## Attributes",
        "",
        *_attribute_lines((found or {}).get("per_attribute", {}), model.metrics.get("cells", {})),
        "",
        *_USE,
        _CHOSEN if model.config.values.head and model.config.range.kind != "none" else _SAID,
        "",
    ]
    return "\n".join(lines)


def _origin(model: Model) -> list[str]:
    config, metrics = model.config, model.metrics
    image = config.image
    photos = f"image encoder: `{image.model}` at {image.size} pixels, up to {image.max_images} a product"
    seed = metrics.get("seed", config.training.seed)
    parts = f": fusion `{config.fusion.kind}`, range `{config.range.kind}`, guidance `{config.guidance.kind}`"
    system = f"system `{config.system}`{parts if system_info(config.system).composed else ''}"
    return [
        f"Trained with Attrex {version('attrex')}, preset `{config.preset}`, seed {seed}, on "
        f"{metrics.get('training_products', 0):,} products in {metrics.get('minutes', 0):.1f} minutes.",
        "",
        f"- text encoder: `{config.text.model}`, windows of {config.text.max_tokens} tokens",
        *_distilled(metrics.get("distilled")),
        f"- {photos if image.model else 'text only: photos are not read'}",
        f"- {system}, scheme `{config.training.scheme}`",
        *_assumed(model),
    ]


def _distilled(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    return [
        f"- a student: {found['layers']} of the {found['of']} layers of the text encoder of a model, learned from what "
        f"that model finds; on the validation products it agrees with it by an F1 of {found['agreement_f1']:.4f}, and "
        f"in {found['cells_agreement']:.1%} of the cells"
    ]


def _assumed(model: Model) -> list[str]:
    """What the cells of the training products were taken for."""
    found = model.metrics.get("supervision")
    if found and found["table"] == "complete":
        return ["- all training products are marked complete: what is not labelled was taken as absent"]
    ranged = model.config.range.kind != "none"  # only a range weighs cells, and has an S_thr
    taken = _ASSUMPTION[model.config.range.unknown] if ranged else _FLAT_ASSUMPTION[model.config.range.unknown]
    lines = [f"- a blank cell of the table was taken as {taken}"]
    if found:
        n = {kind: f"{number:,}" for kind, number in found["cells"].items()}
        lines += [
            f"- the table is partly filled: {found['complete_products']:,} of {found['products']:,} products are "
            "marked complete",
            f"- cells: {n['located']} located, {n['not_located']} filled but not located, {n['blank']} blank, "
            f"{n['ruled_out']} blank and ruled out by the category (taken as absent), {n['absent']} absent",
            f"- known values that the texts name and the table lacks: in {n['blank_mentioned']} blank cells, in "
            f"{n['not_located_mentioned']} cells filled with another value",
        ]
    if model.config.range.unknown != "negative":
        if ranged and found and found.get("mostly_in_doubt"):  # models of the time before do not say
            lines.append("- these are more than the located cells, so that their tags were left out of the loss")
        if model.metrics.get("left_open", True):
            chosen = "the best state and S_thr were" if ranged else "the best state was"
            lines.append(
                f"- {chosen} chosen, and validation scored, without the finds that may be values which the table lacks"
            )
    return lines


def _score_lines(found: dict[str, Any]) -> list[str]:
    tag = found["tag"]
    low, high = tag.get("ci95", (tag["f1"], tag["f1"]))
    f1 = f"{tag['f1']:.4f} ({low:.4f}-{high:.4f})"
    macro = f"{found['macro_f1']:.4f}" if found.get("macro_attributes", 1) else "-"  # nothing could be averaged
    others = (f"{tag['precision']:.4f}", f"{tag['recall']:.4f}", f"{found['cls']['f1']:.4f}", macro)
    return [
        "| products | TAG-F1 (95 % interval) | precision | recall | CLS-F1 | macro-F1 | accuracy |",
        "|---|---|---|---|---|---|---|",
        f"| {found['products']:,} | {f1} | {' | '.join(others)} | {found['accuracy']:.4f} |",
    ]


def _calibration_lines(found: dict[str, Any] | None) -> list[str]:
    """How far the confidences hold on filled cells, in all and by attribute."""
    if not found:
        return []
    rows = sorted(found["per_attribute"].items(), key=lambda item: -item[1]["cells"])
    return [
        "## How far the confidences hold",
        "",
        f"On {found['cells']:,} filled cells of the validation products, by calibrations that were fitted without "
        f"them: {found['right']:.1%} of the surest values are right, and the expected calibration error is "
        f"{found['ece']:.3f}.",
        "",
        f"![Confidence against the share that is right]({RELIABILITY_PLOT})",
        "",
        "| attribute | cells | surest value right | calibration error |",
        "|---|---|---|---|",
        *(f"| {_cell(name)} | {row['cells']:,} | {row['right']:.3f} | {row['ece']:.3f} |" for name, row in rows),
        "",
    ]


def _cell(name: str) -> str:
    """A name on one line, as a Markdown table takes it."""
    return " ".join(name.split()).replace("|", r"\|")


def _repeated_texts(metrics: dict[str, Any]) -> list[str]:
    repeated = metrics.get("repeated_validation", 0)
    told = f"{repeated:,} of these products have the texts of a training product: their scores tell what was memorised."
    return ["", told] if repeated else []


_ASSUMPTION = {
    "negative": "absent",
    "masked": "unknown where its text names a known value, else as probably absent, with less weight in the loss",
}


_FLAT_ASSUMPTION = {
    "negative": "absent",
    "masked": "unknown where its text names a known value, else as absent",
}


_USE = [
    "## Use",
    "",
    "```python",
    "from attrex import Extractor, read_products",
    "",
    'extractor = Extractor.load("this/directory")',
    'for prediction in extractor.extract(read_products("products.jsonl")):',
    "    print(prediction.id, [(v.attribute, v.value, v.confidence) for v in prediction.values])",
    "```",
    "",
]
_SAID = "Values are found where the text says them; what only the photo shows is not filled in."
_CHOSEN = (
    "Values are found where the text says them; what it does not say is chosen among the values that the attribute had "
    "in training, from text and photo."
)


def _attribute_lines(scores: dict[str, Any], cells: dict[str, dict[str, int]]) -> list[str]:
    rows = [
        "| attribute | located in training | filled, not located | blank | absent | F1 on validation | spans |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, count in sorted(cells.items(), key=lambda item: -item[1]["located"]):
        score = scores.get(name)
        measured = (f"{score['f1']:.3f}", score["gold"]) if score else ("-", 0)
        states = (count[state] for state in ("located", "not_located", "blank", "absent"))
        rows.append("| " + " | ".join(map(str, (_cell(name), *states, *measured))) + " |")
    return rows
