"""What is fuzzed, by hypothesis (``test_fuzz.py``) and by atheris (``fuzz_bytes.py``): a file, read and used.

A target returns, or raises an :class:`AttrexError`; anything else is a find.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from attrex.errors import AttrexError
from attrex.filling.fill import fill_table
from attrex.filling.undo import undo_fills
from attrex.io.annotations.files import read_annotations
from attrex.io.predictions import read_predictions
from attrex.io.products import write_products
from attrex.io.readers import read_products
from attrex.labels.labeler import DistantLabeler
from attrex.pipeline import fill
from attrex.reports.html import write_report
from attrex.shop.shop import Shop
from attrex.types import Product
from attrex.vocabulary.lexicon import Lexicon
from attrex.vocabulary.normalizer import ValueNormalizer

PRODUCTS = [
    Product("1", {"title": "Blue suede shoe", "description": "Size 38"}, table={"Material": ("Suede",)}),
    Product("2", {"title": "\u0130n\u00adk\u200b ✔Blau"}, table={"Color": ()}),
]
TABLE = b"id,title,Color,Material,Size\n1,Blue suede shoe,,Suede,\n2,Red shoe,Red,,38\n"


def table(path: Path) -> None:
    """A file of products: read, labelled, written, and read again as it was."""
    products = list(islice(read_products(path), 1000))
    labeler = DistantLabeler()
    labelled = [labeler.label(product) for product in products]
    written = path.with_name("written.jsonl")
    write_products(written, labelled)
    again = list(read_products(written))
    assert [p.id for p in again] == [p.id for p in products]
    assert [dict(p.fields) for p in again] == [dict(p.fields) for p in products]
    assert all(len(warning) <= 2100 for product in products for warning in product.warnings)


def shop(path: Path) -> None:
    """A shop file: what it says is what it says when it was written, and a table is read and filled by it."""
    found = Shop.load(path)
    copy = path.with_name("copy.yaml")
    found.save(copy)
    assert Shop.load(copy) == found
    data = path.with_name("table.csv")
    data.write_bytes(TABLE)
    labeler = DistantLabeler(found)
    with suppress(AttrexError):
        products = [labeler.label(product) for product in read_products(data, shop=found)]
        list(ValueNormalizer.fit(products, shop=found).attributes)


def lexicon(path: Path) -> None:
    """A lexicon: as written, and in use."""
    found = Lexicon.load(path)
    copy = path.with_name("copy.yaml")
    found.save(copy)
    assert Lexicon.load(copy) == found
    labeler = DistantLabeler(lexicon=found)
    for product in PRODUCTS:
        labeler.label(product)


def values(path: Path) -> None:
    """A file of values: read, filled in, shown on a page, undone."""
    found = list(read_predictions(path))
    products = [Product(p.id, {"title": "Blue suede shoe"}, (b"",)) for p in found]
    list(fill_table(products, found, ValueNormalizer.fit(), check_places=True))
    with suppress(AttrexError):
        write_report(path.with_name("page.html"), products, found, title="a", model_name="b")
    for suffix in (".jsonl", ".csv"):
        target, changes = path.with_name(f"filled{suffix}"), path.with_name("changes.csv")
        filling = fill(products, path, target, changes=changes)
        assert filling.report.to_json()
    data = path.with_name("table.csv")
    data.write_bytes(TABLE)
    with suppress(AttrexError):
        fill(data, path, path.with_name("out.csv"), changes=path.with_name("changes.csv"), new_columns=True)
        undo_fills(path.with_name("changes.csv"), out=path.with_name("undone.csv"))
        assert path.with_name("undone.csv").read_bytes() == TABLE


def changes(path: Path) -> None:
    """A file of changes, to be taken back."""
    data = path.with_name("table.csv")
    data.write_bytes(TABLE)
    undo_fills(path, data, path.with_name("undone.csv"))


def annotations(path: Path) -> None:
    list(read_annotations(path))


TARGETS: dict[str, tuple[Callable[[Path], None], str]] = {
    **{f"table.{kind}": (table, kind) for kind in ("jsonl", "json", "csv", "tsv", "parquet", "xlsx", "xml", "csv.gz")},
    "shop": (shop, "yaml"),
    "lexicon": (lexicon, "yaml"),
    "values": (values, "jsonl"),
    "changes.csv": (changes, "csv"),
    "changes.jsonl": (changes, "jsonl"),
    "annotations": (annotations, "json"),
}
"""Name -> what is tried, and the kind of the file."""


def try_bytes(name: str, content: bytes, folder: Path) -> bool:
    """Whether the content was read; False where a message refused it."""
    use, kind = TARGETS[name]
    path = folder / f"tried.{kind}"
    path.write_bytes(content)
    try:
        use(path)
    except AttrexError as exc:
        if len(str(exc)) > 8100:
            raise AssertionError(f"a message of {len(str(exc)):,} characters") from exc
        return False
    return True
