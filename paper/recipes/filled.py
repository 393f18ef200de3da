"""Is what `attrex fill` fills in right? Its changes beside hand labels.

    python paper/recipes/filled.py changes.csv --gold DIR/gold_dev.jsonl

Counts the finds of the ten core attributes by what became of them. One that the text says is right where its words
overlap a hand label of its attribute. One that no text says is right where the hand-labelled table of the product has
it; of attributes that this table lacks it is not judged.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from run import CORE


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    with options.changes.open(encoding="utf-8", newline="") as file:
        gold = [json.loads(line) for line in options.gold.read_text(encoding="utf-8").splitlines()]
        counts = judged(csv.DictReader(file), gold)
    print("| outcome | finds | right | wrong | not judged |\n|---|---|---|---|---|")
    for outcome, found in counts.items():
        print(f"| {outcome} | {found.total()} | {found[True]} | {found[False]} | {found[None]} |")


def judged(changes: Iterable[Mapping[str, str]], gold: Iterable[Mapping[str, Any]]) -> dict[str, Counter[bool | None]]:
    """Outcome -> its finds by whether they are right; None: nothing tells.

    :param gold: rows with ``spans``, and with a ``table`` of cells with ``values`` and ``also_ok``.
    """
    labels = {row["id"]: row for row in gold}
    counts: defaultdict[str, Counter[bool | None]] = defaultdict(Counter)
    for row in changes:
        if row["attribute"] in CORE and row["id"] in labels:
            counts[row["outcome"]][_is_right(row, labels[row["id"]])] += 1
    return dict(counts)


def _is_right(row: Mapping[str, str], label: Mapping[str, Any]) -> bool | None:
    if row["start"]:
        start, end = int(row["start"]), int(row["end"])
        by_hand = [s for s in label["spans"] if s["attribute"] == row["attribute"]]
        if any(s.get("field", "text") == row["field"] and s["start"] < end and start < s["end"] for s in by_hand):
            return True
    cell = label.get("table", {}).get(row["attribute"])
    if cell is None:
        return False if row["start"] else None
    return row["value"] in (*cell["values"], *cell.get("also_ok", ()))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", type=Path, help="what `attrex fill --changes` wrote, CSV")
    parser.add_argument("--gold", type=Path, required=True, help="the same products, labelled in full by hand")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
