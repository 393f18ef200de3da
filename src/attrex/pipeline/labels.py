"""Labels from a table or by hand, and what to know of them before training: locate, convert, compare_labels, check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import DataError
from attrex.io.outputs import check_out
from attrex.io.readers import Products
from attrex.pipeline.given import ProductSource, counted, lexicon_of, products_of, shop_of
from attrex.progress import Progress, silent, track
from attrex.shop.shop import Shop
from attrex.types import Product

if TYPE_CHECKING:
    from attrex.io.annotations.documents import AnnotationReport
    from attrex.labels.report import LabelReport
    from attrex.quality import CheckReport
    from attrex.vocabulary.lexicon import Lexicon

MINE = "mine"
"""In place of a lexicon: mine one from the products."""


@dataclass(frozen=True)
class Labelled:
    """Labelled products, and what became of the table's cells."""

    products: Iterable[Product]  #: can be iterated again; in the file ``out`` where one was asked for
    report: LabelReport
    lexicon: Lexicon  #: what the labels go by
    remarks: tuple[str, ...] = ()  #: what a person should know, e.g. of names that no table has

    def __iter__(self) -> Iterator[Product]:
        return iter(self.products)


def locate(
    table: ProductSource,
    out: str | Path | None = None,
    *,
    shop: Shop | str | Path | None = None,
    lexicon: Lexicon | str | Path | None = None,
    relabel: bool = False,
    progress: Progress = silent,
) -> Labelled:
    """Find the table's values in the texts: labels for training, without anybody labelling.

    :param table: products with their table.
    :param out: where the labelled products go, .jsonl or .jsonl.gz; None: they are kept in memory.
    :param lexicon: what the texts call the values: a lexicon, its file, or ``"mine"`` to mine one from the texts first.
    :param relabel: label anew what has labels already, but for complete products.
    """
    from attrex.io.products import write_products
    from attrex.labels.labeler import DistantLabeler
    from attrex.labels.mining import mine
    from attrex.shop.cells import ColumnCounts

    check_out(out, (".jsonl", ".jsonl.gz"), table, shop, lexicon)
    shop = shop_of(shop)
    products = products_of(table, shop)
    words = mine(track(products, "mining", progress), shop) if lexicon == MINE else lexicon_of(lexicon)
    columns = ColumnCounts()
    attributes = dict.fromkeys(a for p in track(counted(products, columns), "reading", progress) for a in p.table)
    labeler = DistantLabeler(shop, words)
    labeler.add_headings(attributes)
    rows = track(counted(products, labeler.report.columns), "locating", progress)
    labelled = (labeler.label(replace(p, spans=None) if relabel and not p.complete else p) for p in rows)
    if out is None:
        kept: Iterable[Product] = list(labelled)
    else:
        write_products(out, labelled)
        kept = Products(out, allow_outside=True)  # it names the photos of the table, which were looked at
    return Labelled(kept, labeler.report, words, tuple(shop.unused(columns.columns)))


def convert(
    source: ProductSource,
    out: str | Path,
    *,
    to: str | None = None,
    kind: str | None = None,
    offsets: str | None = None,
    complete: bool = False,
    products: ProductSource | None = None,
    shop: Shop | str | Path | None = None,
) -> AnnotationReport:
    """Labels from an annotation tool as products, or products as annotations for a tool to read.

    :param source: what the tool exported, or products.
    :param out: where the labelled products go, .jsonl or .jsonl.gz; or the tool's file (of brat, a directory).
    :param to: the tool, one of :data:`~attrex.io.annotations.files.FORMATS`; None: labelled products.
    :param kind: the tool of ``source``; None: by what the file has.
    :param offsets: how the tool counts, such as ``"utf-16"``; None: as fits.
    :param complete: the spans are all there are.
    :param products: those that were annotated, with table and photos, which most tools leave out: they get the labels.
    """
    from attrex.io.annotations.documents import AnnotationReport
    from attrex.io.annotations.files import format_of, read_annotations, with_annotations, write_annotations
    from attrex.io.products import write_products

    check_out(out if to is None else None, (".jsonl", ".jsonl.gz"), source, products, shop)
    shop = shop_of(shop)
    report = AnnotationReport()
    file = isinstance(source, str | Path) and not str(source).startswith("hf:")
    found: Iterable[Product]
    if kind is not None or (file and format_of(Path(str(source)))):
        if not isinstance(source, str | Path):
            raise DataError(f"expected the file that {kind} exported, got {type(source).__name__}; give its path")
        found = read_annotations(source, kind=kind, offsets=offsets, complete=complete, report=report)
    elif file and to is None:
        found = read_annotations(str(source))  # says which formats there are
    else:
        found = products_of(source, shop)
    if products is not None:
        found = with_annotations(products_of(products, shop), found, report)
    if to is None:
        write_products(out, found)
        return report
    written = write_annotations(out, found, to)
    return replace(written, remarks=[*report.remarks, *written.remarks])


def compare_labels(
    table: ProductSource,
    references: ProductSource,
    *,
    shop: Shop | str | Path | None = None,
    lexicon: Lexicon | str | Path | None = None,
) -> dict[str, Any]:
    """How far the labels that :func:`locate` makes agree with others of the same products, in the others' own texts.

    Returns what :func:`~attrex.labels.agreement.label_agreement` does. Raises :class:`DataError` where none is in both.
    """
    from attrex.labels.agreement import label_agreement

    shop = shop_of(shop)
    wanted = {p.id: p for p in products_of(references, shop) if p.spans is not None}
    same = [p for p in products_of(table, shop) if p.id in wanted and p.error is None]
    if not same:
        raise DataError(
            f"none of the {len(wanted)} labelled products to compare with is in the table; compare with the labels of "
            "the same products (the same ids)"
        )
    texts = [replace(p, fields=wanted[p.id].fields, spans=None) for p in same]
    return label_agreement(locate(texts, shop=shop, lexicon=lexicon), [wanted[p.id] for p in same])


def check(
    splits: Mapping[str, ProductSource] | ProductSource,
    *,
    shop: Shop | str | Path | None = None,
    preset: str | Path = "small",
    photos: bool = True,
    max_bad_rows: str | int | None = None,
    progress: Progress = silent,
) -> CheckReport:
    """What to know of a data set before training: fill rates, lengths, photos, leaks between splits, and advice.

    :param splits: the data by name, such as ``{"train": ..., "valid": ...}``, or a single source.
    :param preset: the text encoder and window size to measure lengths with.
    :param photos: decode every photo.
    :param max_bad_rows: more rows that cannot be read are an error: so many, such as 20, or a share, such as "5%";
        None: more than 1 %, and any damaged part of a file.
    """
    from attrex.config import Config
    from attrex.encoding.units import whole_texts
    from attrex.inference.checkpoint import load_tokenizer
    from attrex.io.bad_rows import BadRowLimit
    from attrex.labels.mentions import UnlabelledMentions
    from attrex.model.text_encoder import resolve_text_model
    from attrex.quality import check_splits
    from attrex.quality.rows import bad_row_findings
    from attrex.vocabulary.word_lists import WordLists

    shop, config = shop_of(shop), Config.load(preset)
    named = splits if isinstance(splits, Mapping) else {"data": splits}
    sources = {name: products_of(source, shop) for name, source in named.items()}
    texts = [p.without_images() for p in track(chain.from_iterable(sources.values()), "reading", progress)]
    mentions = UnlabelledMentions.learn(
        texts, shop.learn(texts).schema, min_share=config.range.mention_share, words=WordLists.of(shop)
    )
    backend = whole_texts(load_tokenizer(resolve_text_model(config.text.model)))
    report = check_splits(
        {name: track(products, f"checking {name}", progress) for name, products in sources.items()},
        count_tokens=lambda text: len(backend.encode(text, add_special_tokens=False).ids),
        max_tokens=config.text.max_tokens,
        overlap=config.text.overlap,
        check_images=photos,
        image_size=config.image.size,
        mentions=mentions,
    )
    read = {name: source.tally for name, source in sources.items() if isinstance(source, Products)}
    too_many = bad_row_findings(read, BadRowLimit.parse(max_bad_rows))
    return replace(report, findings=(*too_many, *report.findings))
