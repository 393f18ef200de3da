"""How long a reviewer waits: claims, decisions and figures in a store of many cells.

    python benchmarks/review.py --cells 100000
    python benchmarks/review.py --cells 100000 --store postgresql://user@host/name

Cells are drawn: words as frequent as words are, twelve attributes, one cell in 500 of the sample. Printed are medians
and maxima of the seconds that a caller waits, and of this process's own processor time.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrex.review.cells import Kind, Option, Population, ProposedCell
from attrex.review.store import ReviewStore
from attrex.types import Span, Value

ATTRIBUTES = 12


def drawn(cells: int) -> Iterator[ProposedCell]:
    draw = random.Random(0)
    for n in range(cells):
        words = f"words{min(int(draw.expovariate(1 / 2000)), 20_000)}"
        attribute, sureness = f"A{n % ATTRIBUTES}", round(draw.random() / 2, 4)
        found = Value(attribute, "V", sureness, Span(attribute, 0, len(words), words, "title"))
        yield ProposedCell(
            f"p{n // ATTRIBUTES}",
            attribute,
            Kind.SURE if n % 500 == 0 else Kind.DOUBTFUL,
            ("V",),
            None,
            sureness,
            sureness,
            found,
            (Option("W", 0.1),),
            {"title": f"{words} {'shirt ' * 20}"},
            words=words,
        )


def timed(name: str, run: Callable[[], object], times: int) -> None:
    waited, own = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        run()
        waited.append(1000 * (time.perf_counter() - began))
        own.append(1000 * (time.process_time() - used))
    print(
        f"{name:20} {statistics.median(waited):8.1f} ms (most {max(waited):8.1f}); "
        f"processor {statistics.median(own):8.1f} ms (most {max(own):8.1f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--store", help="an empty database; default: a SQLite file that is deleted afterwards")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, ReviewStore(options.store or Path(home) / "review.db") as store:
        timed("add", lambda: store.add(drawn(options.cells), Population(options.cells, "drawn")), 1)

        def decide() -> None:
            (cell,) = store.claim("ann")
            store.decide(cell.id, "ann", "accept")

        def settle() -> None:
            (cell,) = store.claim("bob")
            shown = store.same_words(cell.id, "bob")
            store.decide(cell.id, "bob", "accept", also=shown.ids if shown else ())

        timed("claim and decide", decide, 50)
        timed("settle same words", settle, 20)
        timed("claim five", lambda: store.claim("cy", count=5), 20)
        timed("claim of attribute", lambda: store.claim("dan", attribute="A3"), 20)
        timed("list of a hundred", lambda: store.cells(limit=100), 20)
        timed("figures", store.stats, 20)


if __name__ == "__main__":
    main()
