"""Is what `attrex fill` fills in right? Its changes beside hand labels.

    python paper/recipes/filled.py changes.csv --gold DIR/gold_dev.jsonl

Counts the finds of the ten core attributes by what became of them; right is one whose words overlap a hand label of
its attribute.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from run import CORE

from attrex.io.readers import read_products
from attrex.types import Product


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    with options.changes.open(encoding="utf-8", newline="") as file:
        counts = judged(csv.DictReader(file), read_products(options.gold))
    print("| outcome | finds | right |\n|---|---|---|")
    for outcome, found in counts.items():
        print(f"| {outcome} | {found.total()} | {found[True]} |")


def judged(changes: Iterable[Mapping[str, str]], gold: Iterable[Product]) -> dict[str, Counter[bool]]:
    """Outcome -> its finds by whether they are right."""
    labels = {p.id: p.spans or () for p in gold}
    counts: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for row in changes:
        if row["attribute"] in CORE and row["id"] in labels:
            start, end = int(row["start"]), int(row["end"])
            by_hand = (s for s in labels[row["id"]] if (s.attribute, s.field) == (row["attribute"], row["field"]))
            counts[row["outcome"]][any(s.start < end and start < s.end for s in by_hand)] += 1
    return dict(counts)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", type=Path, help="what `attrex fill --changes` wrote, CSV")
    parser.add_argument("--gold", type=Path, required=True, help="the same products, labelled in full by hand")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
