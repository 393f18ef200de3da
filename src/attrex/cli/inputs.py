"""What commands read: labels located on the way, lexicons, models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from attrex.cli.console import note, notes, with_progress
from attrex.errors import DataError

if TYPE_CHECKING:
    from attrex.inference.extractor import Extractor
    from attrex.shop.shop import Shop
    from attrex.types import Product
    from attrex.vocabulary.lexicon import Lexicon


def part_of(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None


def labelled_products(
    products: Iterable[Product], shop: Shop, lexicon: Lexicon | None = None
) -> tuple[list[Product], Lexicon | None]:
    """Products with spans; those without, but with a table, get its values located.

    Goes by ``lexicon``, or by one mined from the products, which comes with them.
    """
    from attrex.labels.labeler import DistantLabeler
    from attrex.labels.mining import mine

    found = list(products)
    bare = sum(p.spans is None and p.error is None for p in found)
    if not bare:
        return found, None
    lexicon = lexicon or mine(with_progress(found, "mining"), shop)
    labeler = DistantLabeler(shop, lexicon)
    found = [labeler.label(p) for p in found]
    notes.print(labeler.report.render(), markup=False)
    note(
        f"{bare:,} of {len(found):,} products had no labelled spans: their table's values were located in the texts; "
        "`attrex locate` does so into a file to look at"
    )
    return found, lexicon


def labelled_by_hand(products: Iterable[Product]) -> list[Product]:
    """Products whose labels are all there are. Raises :class:`DataError` for one that nobody has labelled."""
    found = [replace(p, complete=True) for p in products]
    bare = next((p.id for p in found if p.error is None and p.spans is None), None)
    if bare is not None:
        raise DataError(
            f"products labelled by hand: {bare!r} has no spans, which would say that nothing in it is a value; label "
            "it, give it `spans: []` if that is so, or leave it out"
        )
    return found


def mined_lexicon(products: Iterable[Product], file: Path, shop: Shop) -> Lexicon:
    """What the texts call the table's values, also as a file."""
    from attrex.labels.mining import mine

    found = mine(with_progress(products, "mining"), shop)
    file.parent.mkdir(parents=True, exist_ok=True)
    found.save(file)
    note(f"lexicon: {file}")
    return found


def load_extractor(
    model: str, backend: str = "auto", precision: str | None = None, cache: Path | None = None
) -> Extractor:
    """A model or an export, ready to run."""
    from attrex.inference.extractor import Extractor

    return Extractor.load(model, backend=backend, precision=precision, cache_dir=cache)
