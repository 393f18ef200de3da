"""How alike are the heat-maps of different words? The paper's Figure 6 as a number.

    python paper/recipes/heatmaps.py runs/uls-vl runs/uls-dram --data DIR/test.jsonl --products 40

Prints for each model the correlation between the region weights of two finds with different words on a product's first
photo, over all such pairs: near 1 the model looks at the same places whatever the word.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from attrex.inference.extractor import Extractor
from attrex.io.readers import read_products
from attrex.types import Prediction, Value


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    photographed = (p for p in read_products(options.data) if p.images)
    products = list(islice(photographed, options.products))
    print("| model | pairs | mean correlation | median |\n|---|---|---|---|")
    for model in options.models:
        found = list(alike(Extractor.load(model).extract(products)))
        mean, median = (f"{measure(found):.2f}" if found else "-" for measure in (np.mean, np.median))
        print(f"| {model.name} | {len(found):,} | {mean} | {median} |", flush=True)


def alike(predictions: Iterable[Prediction]) -> Iterator[float]:
    """Correlation, -1..1, of the heat-maps of every two finds of a product whose words differ."""
    for prediction in predictions:
        maps = [(v.value.casefold(), weights) for v in prediction.values if (weights := _weights(v)).std() > 0]
        for (word, one), (other_word, other) in combinations(maps, 2):
            if word != other_word:
                yield float(np.corrcoef(one, other)[0, 1])


def _weights(value: Value) -> np.ndarray:
    """[regions] of the first photo; a single 0 where there is none."""
    first = next((e for e in value.regions if e.image == 0), None)
    return np.array(first.weights).ravel() if first else np.zeros(1)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="products with photos")
    parser.add_argument("--products", type=int, default=40)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
