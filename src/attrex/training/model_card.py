"""The README of a model directory: what it is, what it learned from, what was assumed, how good it is, how to use it."""

from __future__ import annotations

from typing import Any

from attrex import __version__
from attrex.inference.checkpoint import Model


def model_card(model: Model) -> str:
    """Markdown with the front matter that the Hugging Face hub reads."""
    config, metrics = model.config, model.metrics
    found = metrics.get("validation", {})
    lines = [
        "---",
        "library_name: attrex",
        "pipeline_tag: token-classification",
        "tags: [attribute-value-extraction, e-commerce]",
        "---",
        f"# {config.system}: attribute values for {len(model.schema.names)} attributes",
        "",
        f"Trained with Attrex {__version__}, preset `{config.preset}`, seed {metrics.get('seed', config.training.seed)}, on "
        f"{metrics.get('training_products', 0):,} products in {metrics.get('minutes', 0):.1f} minutes.",
        "",
        f"- text encoder: `{config.text.model}`, windows of {config.text.max_tokens} tokens",
        f"- image encoder: `{config.image.model}` at {config.image.size} pixels"
        if config.image.model
        else "- text only: photos are not read",
        f"- fusion `{config.fusion.kind}`, range `{config.range.kind}`, guidance `{config.guidance.kind}`, "
        f"scheme `{config.training.scheme}`",
        f"- a blank cell of the table was taken as {_ASSUMPTION[config.range.unknown]}",
        "",
        "## Measured on the validation products",
        "",
    ]
    if found:
        low, high = found["tag"].get("ci95", (found["tag"]["f1"],) * 2)
        lines += [
            "| TAG-F1 | precision | recall | CLS-F1 | macro-F1 | accuracy |",
            "|---|---|---|---|---|---|",
            f"| {found['tag']['f1']:.4f} ({low:.4f}-{high:.4f}) | {found['tag']['precision']:.4f} | {found['tag']['recall']:.4f} "
            f"| {found['cls']['f1']:.4f} | {found['macro_f1']:.4f} | {found['accuracy']:.4f} |",
            "",
        ]
    lines += ["## Attributes", "", *_attribute_table(found.get("per_attribute", {}), metrics.get("cells", {})), ""]
    lines += [
        "## Use",
        "",
        "```python",
        "from attrex import Extractor, read_products",
        "",
        'extractor = Extractor.load("this/directory")',
        'for prediction in extractor.extract(read_products("products.jsonl")):',
        "    print(prediction.id, [(v.attribute, v.text, v.confidence) for v in prediction.values])",
        "```",
        "",
        "Values are found where the text says them; what only the photo shows is not filled in.",
        "",
    ]
    return "\n".join(lines)


_ASSUMPTION = {
    "negative": "absent",
    "masked": "unknown, and left out of the loss",
    "weighted": "probably absent, with less weight in the loss",
}


def _attribute_table(scores: dict[str, Any], cells: dict[str, dict[str, int]]) -> list[str]:
    rows = [
        "| attribute | located in training | filled, not located | blank | absent | F1 on validation | spans |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, count in sorted(cells.items(), key=lambda item: -item[1]["located"]):
        score = scores.get(name)
        measured = f"{score['f1']:.3f} | {score['gold']}" if score else "- | 0"
        rows.append(
            f"| {name} | {count['located']} | {count['not_located']} | {count['blank']} | {count['absent']} | {measured} |"
        )
    return rows
