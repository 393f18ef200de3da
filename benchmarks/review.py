"""How long a reviewer waits: claims, decisions and figures in a store of many cells.

    python benchmarks/review.py --cells 100000
    python benchmarks/review.py --cells 100000 --store postgresql://user@host/name

Cells are drawn: words as frequent as words are, twelve attributes, one cell in 500 of the sample. Printed are medians
and maxima of the seconds that a caller waits, and of this process's own processor time. What begins with "page:" is a
request of the page on reviews, as the service answers it, JSON included; the page claims three cells at a time.
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
from attrex.server.refusals import dumps
from attrex.server.reviewing import Claim, Decide, Desk, Look, Stats, Undo
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


def _time_page(store: ReviewStore) -> None:
    desk = Desk(store)
    of_many = max(desk.claim(Claim(reviewer="eve", count=100))["cells"], key=lambda cell: cell["same"])
    print(f"page: with the same words {of_many['same']}, {len(dumps(of_many)):,} bytes a cell")
    wanted = [None, "A5"]

    def claim(attribute: str | None) -> None:
        dumps(desk.claim(Claim(reviewer=f"fay {attribute}", count=3, attribute=attribute)))

    def decide() -> None:
        (cell,) = desk.claim(Claim(reviewer="gus"))["cells"]
        dumps(desk.decide(Decide(cell=cell["id"], reviewer="gus", verdict="accept")))

    for attribute in wanted:
        timed(f"page: claim of {attribute or 'any'}", lambda a=attribute: claim(a), 20)
    timed("page: claim, decide", decide, 50)
    timed("page: undo", lambda: dumps(desk.undo(Undo(reviewer="gus"))), 20)
    timed("page: same words", lambda: dumps(desk.look(Look(cell=of_many["id"], reviewer="eve"))), 20)
    timed("page: figures", lambda: dumps(desk.stats(Stats())), 20)


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
        _time_page(store)


if __name__ == "__main__":
    main()
