"""What commands read: products, labels located on the way, lexicons, models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attrex.cli.console import note, notes, with_progress
from attrex.errors import DataError

if TYPE_CHECKING:
    from attrex.inference.extractor import Extractor
    from attrex.labels.labeler import LocatePolicy
    from attrex.shop.mapping import ColumnMapping
    from attrex.shop.schema import Schema
    from attrex.types import Product
    from attrex.vocabulary.lexicon import Lexicon


def read_rows(
    source: str,
    images: Path | None = None,
    fields: str | None = None,
    columns: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> Iterator[Product]:
    """Products from any source, marked rows among them."""
    from attrex.io.readers import read_products

    return read_products(source, mapping=column_mapping(fields, columns), images=images, split=split, limit=limit)


def column_mapping(fields: str | None, columns: Path | None) -> ColumnMapping:
    """The column mapping of a YAML file, with --fields on top."""
    from attrex.shop.mapping import ColumnMapping

    mapping = ColumnMapping.load(columns) if columns else ColumnMapping()
    return replace(mapping, fields=tuple(f.strip() for f in fields.split(","))) if fields else mapping


def how_rows_are_read(images: Path | None, fields: str | None, columns: Path | None) -> dict[str, str | None]:
    """What the products of a source depend on, by the name of the option: a resumed run has to say the same."""
    return {
        "--images": str(images.resolve()) if images else None,
        "--fields": fields,
        "--columns": str(columns) if columns else None,
    }


def part_of(source: str, split: str) -> str | None:
    """The split to take from a source that has several; a file has none."""
    return split if source.startswith("hf:") or Path(source).is_dir() else None


def labelled_products(
    products: Iterable[Product], schema: Schema | None, lexicon: Lexicon | None = None
) -> tuple[list[Product], Lexicon | None]:
    """Products with spans; those without, but with a table, get its values located with the default policy.

    Goes by ``lexicon``, or by one mined from the products, which comes with them.
    """
    from attrex.labels.labeler import DistantLabeler
    from attrex.labels.mining import mine

    found = list(products)
    bare = sum(p.spans is None and p.error is None for p in found)
    if not bare:
        return found, None
    lexicon = lexicon or mine(with_progress(found, "mining"), schema)
    labeler = DistantLabeler(schema, lexicon=lexicon)
    found = [labeler.locate(p) for p in found]
    notes.print(labeler.report.render(), markup=False)
    note(
        f"{bare:,} of {len(found):,} products had no labelled spans: their table's values were located in the texts; "
        "`attrex locate` does so with a policy of yours"
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


def mined_lexicon(products: Iterable[Product], file: Path, schema: Schema | None, policy: LocatePolicy) -> Lexicon:
    """What the texts call the table's values, also as a file."""
    from attrex.labels.mining import mine

    found = mine(with_progress(products, "mining"), schema, policy)
    file.parent.mkdir(parents=True, exist_ok=True)
    found.save(file)
    note(f"lexicon: {file}")
    return found


def load_extractor(
    model: str, backend: str = "auto", precision: str | None = None, cache: Path | None = None
) -> Extractor:
    """A model or an export, ready to run."""
    from attrex.inference.extractor import Extractor

    return Extractor.load(model, backend=backend, precision=precision, cache_dir=cache, allow_code=allowed_code())


def allowed_code() -> list[str]:
    """The classes that `attrex --allow-code NAME` names before the command."""
    context = click.get_current_context(silent=True)
    return [*(context.find_root().params.get("allow_code") or ())] if context else []
