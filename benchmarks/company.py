"""Does a product get the same values alone as among others? Exports in fp32, in 8 bits, and in 8 bits as onnxruntime
does it by itself, whose scale is that of a whole batch.

python benchmarks/company.py MODEL --data valid.jsonl --limit 64
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from attrex.evaluation import parity
from attrex.evaluation.table import table_answers
from attrex.inference.checkpoint import Model, load_model
from attrex.inference.export import write_export
from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.types import Prediction, Product


def exports(model: Model, work: Path) -> dict[str, Extractor]:
    """The same model three ways."""
    directories = {name: write_export(model, work / name, int8=name == "int8") for name in ("fp32", "int8", "batch")}
    _by_batch(directories["batch"] / "text.onnx")
    return {name: Extractor.load(directory) for name, directory in directories.items()}


def _by_batch(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    full = path.rename(path.with_suffix(".full"))
    kinds = ["MatMul", "Attention"]
    quantize_dynamic(full, path, op_types_to_quantize=kinds, per_channel=True, weight_type=QuantType.QInt8)


def company(export: Extractor, products: Sequence[Product], reference: Sequence[Prediction]) -> str:
    """One line: what hangs on the products beside a product, and how far the finds agree with fp32."""
    found = list(export.extract(products, evidence=False))
    alone, regrouped = (
        parity.steadiness(found, [repeat(export, products)]) for repeat in (parity.read_alone, parity.read_regrouped)
    )
    as_gold = [replace(p, spans=r.spans) for p, r in zip(products, reference, strict=True)]
    answers = (table_answers(predictions, export.model.normalizer) for predictions in (reference, found))
    return (
        f"other values alone {alone[0]}, regrouped {regrouped[0]} of {len(products)}; a confidence moves by at most "
        f"{max(alone[1], regrouped[1]):.1g}; spans agree with fp32 by F1 {parity.agreement_f1(as_gold, found):.3f}, "
        f"cells {parity.cells_agreement(*answers):.1%}"
    )


def seconds(export: Extractor, products: Sequence[Product]) -> float:
    """Of the processor: others on the machine count little."""
    started = time.process_time()
    list(export.extract(products, photos=False, evidence=False))
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    products = [p for p in read_products(asked.data) if p.error is None][: asked.limit]
    with tempfile.TemporaryDirectory() as work:
        ways = exports(load_model(asked.model), Path(work))
        reference = list(ways["fp32"].extract(products, evidence=False))
        for name, export in ways.items():
            print(f"{name}: {company(export, products, reference)}", flush=True)
        rounds = [{name: seconds(export, products) for name, export in ways.items()} for _ in range(asked.rounds)]
    for name in ways:
        ratios = sorted(took["batch"] / took[name] for took in rounds)
        print(f"{name}: {median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f}) times the speed of batch, text alone")


if __name__ == "__main__":
    main()
