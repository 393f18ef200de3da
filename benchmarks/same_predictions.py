"""Are two files of predictions the same? The proof that a change of the code changed no prediction.

    python benchmarks/same_predictions.py OLD.jsonl NEW.jsonl [--limit N]

Compared are, product by product in their order: ids, values with their places, words, confidences and region weights,
predicted ranges, coverage, warnings and errors, all of them exactly. Files of the form before 0.2, whose values are
{"attribute", "text", "field", "start", "end", "confidence", "evidence"}, are read, too. Prints products, values and
differences, and ends with 1 where there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--limit", type=int, help="compare so many products, the first ones")
    options = parser.parse_args(arguments)
    products = values = different = 0
    files = (islice(rows(path), options.limit) for path in (options.one, options.other))
    for number, (one, other) in enumerate(zip_longest(*files), 1):
        products += 1
        values += len((one or other)["values"])
        for fault in differences(one, other):
            different += 1
            if different <= SHOWN:
                print(f"row {number}: {fault}")
    print(f"{products:,} products, {values:,} values, {different:,} differences")
    return int(different > 0)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a .jsonl or .parquet file, in the present form."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(1000):
            for row in batch.to_pylist():
                scores = {pair["attribute"]: pair["score"] for pair in row["range"]}
                yield row | {"range": scores, "values": [present_form(v) for v in row["values"]]}
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row | {"values": [present_form(v) for v in row["values"]]}


def present_form(value: dict[str, Any]) -> dict[str, Any]:
    """A value as it is written now; one of the earlier form says what its text says."""
    if "evidence" not in value:
        unsaid = {"decided_by", "words"} - {key for key, said in value.items() if said is not None}  # empty in Parquet
        return {key: said for key, said in value.items() if key not in unsaid}
    source = {key: value[key] for key in ("field", "start", "end", "text")}
    return {
        "attribute": value["attribute"],
        "value": value["text"],
        "confidence": value["confidence"],
        "source": source,
        "regions": value["evidence"],
    }


def differences(one: dict[str, Any] | None, other: dict[str, Any] | None) -> Iterator[str]:
    """What differs between two rows, a line each."""
    if one is None or other is None or one["id"] != other["id"]:
        yield f"the product is {one and one['id']!r} in one file, {other and other['id']!r} in the other"
        return
    for key in sorted((one.keys() | other.keys()) - {"values"}):
        if json.dumps(one.get(key)) != json.dumps(other.get(key)):  # in which the order of a range counts
            yield f"{key} of {one['id']!r}: {one.get(key)!r:.200} and {other.get(key)!r:.200}"
    for mine, theirs in zip_longest(one["values"], other["values"]):
        for key in sorted((mine or {}).keys() | (theirs or {}).keys()):
            pair = [(value or {}).get(key, "missing") for value in (mine, theirs)]
            if pair[0] != pair[1]:
                yield f"{key} of a value of {one['id']!r}: {pair[0]!r:.200} and {pair[1]!r:.200}"


if __name__ == "__main__":
    sys.exit(main())
