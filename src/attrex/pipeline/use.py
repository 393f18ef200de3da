"""Using a model: extract, fill, report, export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError, DataError
from attrex.io.files import file_rows
from attrex.io.outputs import check_out
from attrex.io.readers import Products, export_of, file_of
from attrex.io.rows import HEAD, fitting_shop
from attrex.io.tables import SEPARATOR
from attrex.pipeline.given import (
    ProductSource,
    counted,
    extractor_of,
    lexicon_of,
    products_of,
    shop_of,
    trained_model,
    verdicts_of,
)
from attrex.progress import Progress, note, silent, track
from attrex.shop.schema import Attribute
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.evaluation.parity import Parity
    from attrex.filling.conflicts import Conflict
    from attrex.filling.exports import ExportDestination
    from attrex.filling.fill import FilledRow
    from attrex.filling.report import FillReport
    from attrex.filling.undo import Undone
    from attrex.filling.writing import Destination
    from attrex.inference.extractor import Attributes, Extractor
    from attrex.inference.selection import Cutoff
    from attrex.io.cell_edits import EditableFile
    from attrex.io.dialects import Dialect
    from attrex.io.predictions import PredictionCounts
    from attrex.pipeline.given import ModelSource
    from attrex.review.verdicts import CellVerdict
    from attrex.vocabulary.lexicon import Lexicon
    from attrex.vocabulary.normalizer import ValueNormalizer


@dataclass(frozen=True)
class Extraction:
    """What was extracted: predictions in the order of the products, in memory or in a file."""

    counts: PredictionCounts
    path: Path | None = None
    predictions: Sequence[Prediction] = field(default=(), repr=False)  #: where there is no file

    def __iter__(self) -> Iterator[Prediction]:
        from attrex.io.predictions import read_predictions

        return iter(self.predictions) if self.path is None else read_predictions(self.path)

    def __len__(self) -> int:
        return self.counts.rows

    def _repr_html_(self) -> str:
        """The first ten predictions, for a notebook."""
        return "".join(prediction._repr_html_() for prediction in islice(self, 10))


def extract(
    model: ModelSource,
    products: ProductSource,
    out: str | Path | None = None,
    *,
    shop: Shop | str | Path | None = None,
    threshold: float | None = None,
    min_confidence: float | None = None,
    attributes: Attributes | None = None,
    photos: bool = True,
    evidence: bool = True,
    backend: str = "auto",
    precision: str | None = None,
    batch_size: int | None = None,
    deterministic: bool = False,
    cache: str | Path | None = None,
    resume: bool = False,
    options: Mapping[str, Any] | None = None,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Extraction:
    """Values with their places, confidence and image evidence, one prediction per product, in order.

    :param out: where they go, .jsonl or .parquet; None: they are kept in memory.
    :param shop: None: the model's own.
    :param threshold: S_thr in place of the model's.
    :param min_confidence: leave out values below it.
    :param attributes: what to look for, in place of what the model would choose.
    :param evidence: keep the region weights of each value.
    :param backend: torch for a model, onnx for an export, auto for what is there.
    :param precision: of torch: fp32, bf16, or auto.
    :param deterministic: a product gets the same values alone as among any others: torch in fp32, or an export.
    :param cache: a directory that keeps encoded photos and finds for the next run, which then reads what has changed.
    :param resume: continue an interrupted extraction into ``out``.
    :param options: what else the rows depend on, e.g. how the products were read; resuming with other ones is refused.
    :param allow_code: classes that the model may name as its own (docs/extending.md).
    """
    from attrex.inference.directory import locate_model
    from attrex.inference.extractor import CHUNK
    from attrex.io.content import model_hash
    from attrex.io.predictions import PredictionCounts, PredictionFile, read_predictions

    check_out(out, (), products, shop)
    how: dict[str, Any] = {
        "threshold": threshold,
        "min_confidence": min_confidence,
        "photos": photos,
        "evidence": evidence,
        "batch_size": batch_size,
        "attributes": attributes,
    }
    loading: dict[str, Any] = {
        "backend": backend,
        "precision": precision,
        "deterministic": deterministic,
        "cache_dir": Path(cache) if cache else None,
        "allow_code": allow_code,
    }
    if out is None:
        extractor = extractor_of(model, **loading)
        rows = track(products_of(products, shop_of(shop, model)), "extracting", progress)
        found = list(extractor.extract(rows, **how))
        _tell_known(extractor, progress)
        counts = PredictionCounts()
        for prediction in found:
            counts.add(prediction.to_json())
        return Extraction(counts, predictions=found)
    name = str(model) if isinstance(model, str | Path) else type(model).__name__
    depends_on: dict[str, Any] = {
        "model": str(Path(name).resolve()) if Path(name).exists() else name,
        "precision": precision,
        "deterministic": deterministic,
    }
    if isinstance(model, str | Path):
        depends_on["model's content"] = model_hash(locate_model(model))
    depends_on |= {key: value for key, value in how.items() if not callable(value)} | dict(options or {})
    target = PredictionFile(out, resume=resume, options=depends_on)
    source = products_of(products, shop_of(shop, model))
    if target.finished:
        target.check_same(source, _rows_counted(read_predictions(out), target.counts))
        note(progress, f"{out} is finished already: nothing left to do; delete it to extract again")
    else:
        with target.open():
            extractor = extractor_of(model, **loading)
            how["batch_size"] = size = batch_size or extractor.model.config.training.eval_batch_size
            left = target.remaining(source, step=size * CHUNK)
            target.write(track(extractor.extract(left, **how), "extracting", progress, done=target.counts.rows))
            _tell_known(extractor, progress)
    return Extraction(target.counts, Path(out))


def _rows_counted(predictions: Iterable[Prediction], counts: PredictionCounts) -> Iterator[tuple[str, str | None]]:
    for prediction in predictions:
        counts.add(prediction.to_json())
        yield prediction.id, prediction.content


def _tell_known(extractor: Extractor, progress: Progress) -> None:
    if extractor.finds is not None and extractor.finds.hits:
        note(progress, f"{extractor.finds.hits:,} products are as they were in an earlier run: not read again")


@dataclass(frozen=True)
class Filling:
    """A filled table and what became of its cells."""

    report: FillReport
    path: Path | None = None
    rows: Sequence[FilledRow] = field(default=(), repr=False)  #: where there is no file
    conflicts: Sequence[Conflict] = field(default=(), repr=False)
    """Filled cells that are probably wrong, most probably first; of a table in a file, only if they are in one, too"""


def fill(  # noqa: PLR0915
    table: ProductSource,
    predictions: Iterable[Prediction] | str | Path,
    out: str | Path | None = None,
    *,
    changes: str | Path | None = None,
    conflicts: str | Path | None = None,
    model: str | Path | None = None,
    shop: Shop | str | Path | None = None,
    catalog: Sequence[ProductSource] = (),
    lexicon: Lexicon | str | Path | None = None,
    min_confidence: float | None = None,
    precision: float | None = None,
    pool: bool = False,
    cutoffs: Mapping[str, Cutoff] | None = None,
    known_only: bool = False,
    language: str | None = None,
    verdicts: Iterable[CellVerdict] | str | Path | None = None,
    new_columns: bool = False,
    spreadsheet_safe: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
) -> Filling:
    """Fill the blank cells of a table with what was extracted, in the shop's own words. Filled cells never change.

    Where the table is a file and ``out`` of its kind, ``out`` is that file with blank cells filled, and nothing else
    changed; of another table it has a row per product, with its id and a column per attribute.

    :param table: the products that were read, with their table.
    :param predictions: what :func:`extract` returned or wrote for them.
    :param out: the filled table; where it is not of the table's kind, .csv, .jsonl or .parquet; None: rows are kept in
        memory.
    :param changes: where every value and what became of it goes, .csv or .jsonl; :func:`undo_fill` reads it.
    :param conflicts: where filled cells that are probably wrong go, most probably first, .csv or .jsonl.
    :param model: the model that read the products: it knows the shop's words from its training, and the shop.
    :param catalog: more products with their table to learn the shop's words from.
    :param lexicon: what the texts call the values; a model knows its own.
    :param min_confidence: values below it are listed and not filled in; None: 0.5.
    :param precision: the share of what is filled in that has to be right, 0..1: each attribute gets the limit that
        reaches it on the model's held-out cells, and one that cannot reach it fills nothing
        (:meth:`~attrex.inference.selection.HeldOut.cutoffs`).
    :param pool: attributes with too few held-out cells get one limit together; the precision is then theirs as one.
    :param cutoffs: attribute -> its limit, chosen on held-out cells of yours.
    :param known_only: fill with values that the table, shop or lexicon has, and no others.
    :param language: what options with labels in several languages are written in, such as de; None: the language of
        the filled cells.
    :param verdicts: what people decided of the table's cells, or their file: it is filled in, and what they rejected is
        not; filled cells never change.
    :param new_columns: add columns at the end for attributes that the file has none for; else they are not filled.
    :param spreadsheet_safe: put an apostrophe before what is written and begins with ``=``, ``+``, ``-`` or ``@``.
    :param limit: only the first so many predictions, where ``table`` is read so far.
    """
    from attrex.filling.changes import fill_listed, write_conflicts, write_filled
    from attrex.filling.columns import check_columns, check_destination
    from attrex.filling.conflicts import most_probable_first
    from attrex.filling.exports import ExportDestination
    from attrex.filling.fill import fill_table
    from attrex.filling.report import FillReport, attributes_asked, found_kinds
    from attrex.io.predictions import read_predictions
    from attrex.io.tables import TABLE_SUFFIXES
    from attrex.shop.cells import ColumnCounts

    if isinstance(catalog, str | Path | Products):
        raise ConfigError("catalog should be a list of sources, got a single one; put it into a list")
    sources = (getattr(table, "source", table), predictions, shop, lexicon, verdicts, *catalog)
    _check_fill(out, {"changes": changes, "conflicts": conflicts}, sources, limit, model, lexicon)
    how = limits_of(min_confidence, precision, pool, cutoffs, model)
    shop = shop_of(shop, model)
    file = _file_to_fill(table, out, shop)
    check_out(out, () if file else TABLE_SUFFIXES, *sources)
    report = FillReport(**how)
    normalizer = normalizer_of(model, shop, lexicon)
    _set_language(normalizer, language)
    for source in catalog:
        normalizer.refine(track(products_of(source, shop), "learning the words", progress))
    decided = verdicts_of(verdicts)
    for attribute, values in decided.values():
        normalizer.know(attribute, values)
    products = products_of(table, shop)
    found = predictions if isinstance(predictions, str | Path) else _predictions_in(predictions)

    def read() -> Iterator[Prediction]:
        rows = read_predictions(found) if isinstance(found, str | Path) else iter(found)
        return islice(decided.in_predictions(rows), limit)

    counts = ColumnCounts()
    kinds = found_kinds(value for prediction in read() for value in prediction.values)
    known = {*normalizer.attributes, *(kind.attribute for kind in kinds)}
    export = _export_to_fill(table, shop) if file is not None else None
    if file is not None:
        products, shop = _as_known(table, file, export, shop, known)
    normalizer.refine(track(counted(products, counts), "learning the words", progress), read())
    report.asked = attributes_asked(kinds, (shop if model is None else shop_of(None, model)).schema)
    how |= {"known_only": known_only, "check_places": True, "decided": decided.decided_cells()}
    check_columns(file.path.name if file else "the table", counts.unread, known)
    destination: Destination | ExportDestination | None = None
    if file is not None:
        planned = fill_table(products, read(), normalizer, **how) if new_columns else ()
        if export is not None:
            destination = ExportDestination(file, export, new_columns, _guard(file, spreadsheet_safe))
            destination.plan(planned)
        else:
            destination = _destination(file, shop, _fillable(planned), spreadsheet_safe)
            check_destination(destination, counts.unread, bool(kinds) and not new_columns)
            how |= {"columns": destination.columns, "can_hold": destination.can_hold}
    rows = fill_table(track(products, "filling", progress), read(), normalizer, **how)
    rows = destination.rows(rows) if isinstance(destination, ExportDestination) else rows
    contradicted: list[Conflict] = []
    rows = rows if out is not None and conflicts is None else _noting_conflicts(rows, contradicted)
    if out is None:
        return Filling(report, rows=list(map(report.added, rows)), conflicts=most_probable_first(contradicted))
    listing, separator = Path(changes) if changes else None, shop.cells.separator or SEPARATOR
    if destination is None:
        write_filled(
            rows, Path(out), listing, shop=shop, order=normalizer.attributes, report=report, safe=spreadsheet_safe
        )
    else:
        fill_listed(rows, Path(out), destination, report, separator, listing, safe=spreadsheet_safe)
        _tell_refused(destination, progress)
    listed = most_probable_first(contradicted)
    if conflicts is not None:
        write_conflicts(Path(conflicts), listed, separator, safe=spreadsheet_safe)
    return Filling(report, Path(out), conflicts=listed)


def undo_fill(
    changes: str | Path, table: str | Path | None = None, out: str | Path | None = None, *, progress: Progress = silent
) -> Undone:
    """Take back what a run of :func:`fill` filled into a file, but not in cells that somebody has changed since.

    :param changes: the run's changes.
    :param table: the filled table; None: where the run wrote it.
    :param out: where the result goes; None: in place of the table.
    """
    from attrex.filling.undo import undo_fills

    check_out(out, (), changes, option="out")
    note(progress, f"taking back the fills of {changes}")
    return undo_fills(Path(changes), Path(table) if table else None, Path(out) if out else None)


def _file_to_fill(table: ProductSource, out: str | Path | None, shop: Shop) -> EditableFile | None:
    """The table's file, where ``out`` is to be that file with blank cells filled; None: a table made anew."""
    from attrex.io.editable import editable_file, same_kind

    source = table.source if isinstance(table, Products) else table
    path = file_of(source, shop) if isinstance(source, str | Path) else None
    return editable_file(path) if path and out is not None and same_kind(path, Path(out)) else None


def _spelt_as_known(
    table: ProductSource, file: EditableFile, shop: Shop, known: Iterable[str]
) -> tuple[Iterable[Product], Shop]:
    """The products, and the shop that reads them: a column is the known attribute's that it is another spelling of."""
    from attrex.filling.columns import with_spellings

    of_table = table if isinstance(table, Products) else Products(table, shop=shop)  # type: ignore[arg-type]
    own = of_table.shop if isinstance(of_table.shop, Shop) else Shop.load(of_table.shop)
    shop = with_spellings(fitting_shop(list(islice(file_rows(file.path), HEAD)), own), file, known)
    return replace(of_table, shop=shop), shop


def _as_known(
    table: ProductSource, file: EditableFile, export: Dialect | None, shop: Shop, known: Iterable[str]
) -> tuple[Iterable[Product], Shop]:
    """The products of a file, and the shop that reads them, which knows the columns of known attributes."""
    if export is not None:
        return _export_as_known(table, export, shop, known)
    return _spelt_as_known(table, file, shop, known)


def products_to_fill(table: ProductSource, shop: Shop, known: Iterable[str]) -> tuple[Iterable[Product], Shop]:
    """The products of a table as :func:`fill` reads them to fill their file, and the shop that reads them."""
    source = table.source if isinstance(table, Products) else table
    path = file_of(source, shop) if isinstance(source, str | Path) else None
    file = _file_to_fill(table, path, shop)
    if file is None:
        return products_of(table, shop), shop
    return _as_known(table, file, _export_to_fill(table, shop), shop, known)


def _fillable(rows: Iterable[FilledRow]) -> list[str]:
    """The attributes of which any cell is filled."""
    return list(dict.fromkeys(e.attribute for row in rows for e in row.entries if e.outcome == "filled"))


def _destination(file: EditableFile, shop: Shop, fillable: Iterable[str], safe: bool) -> Destination:
    """Where in the file the values go; of ``fillable`` attributes also where the file has no column yet."""
    from attrex.filling.columns import columns_of_attributes, new_column
    from attrex.filling.writing import Destination

    columns, new, safe_text = columns_of_attributes(file, shop), dict[str, str](), _guard(file, safe)
    for attribute in sorted(set(fillable) - set(columns)):
        column, name = new_column(file, shop, attribute, len(new))
        columns[attribute], new[attribute] = [column], safe_text(name)
    named = shop.columns.id if shop.columns.id in file.columns.values() else None
    separator = shop.cells.separator or SEPARATOR
    return Destination(file, columns, new, named, separator, safe_text, shop.cells.may_fill)


def _guard(file: EditableFile, safe: bool) -> Callable[[str], str]:
    """What becomes of texts that a spreadsheet program would take for formulas."""
    from attrex.io.editable import TEXT_TABLES
    from attrex.io.packed import kind_of_file
    from attrex.io.spreadsheet import safe_for_spreadsheets

    return safe_for_spreadsheets if safe and kind_of_file(file.path) in TEXT_TABLES else str


def _export_to_fill(table: ProductSource, shop: Shop) -> Dialect | None:
    """The platform's export that a table is, so that its dialect says where values go."""
    source = table.source if isinstance(table, Products) else table
    dialect = table.dialect if isinstance(table, Products) else None
    return export_of(source, shop, dialect) if isinstance(source, str | Path) else None


def _export_as_known(
    table: ProductSource, export: Dialect, shop: Shop, known: Iterable[str]
) -> tuple[Iterable[Product], Shop]:
    """The products, and the shop that reads them: a platform's name of a known attribute is that attribute's."""
    export.separator = shop.cells.separator or SEPARATOR
    more = sorted(set(known) - set(shop.schema.names))
    attributes = (*shop.schema.attributes, *map(Attribute, more))
    shop = replace(shop, schema=replace(shop.schema, attributes=attributes))
    of_table = table if isinstance(table, Products) else Products(export.sample.path)
    return replace(of_table, shop=shop), shop


def _tell_refused(destination: Destination | ExportDestination, progress: Progress) -> None:
    refused = destination.refused if hasattr(destination, "refused") else Counter[str]()
    for why, times in refused.most_common(3):
        note(progress, f"{times} values have no place in {destination.file.path.name}: {why}")


def normalizer_of(model: str | Path | None, shop: Shop, lexicon: Lexicon | str | Path | None) -> ValueNormalizer:
    """What knows the shop's words: a model's, or one of shop and lexicon alone."""
    from attrex.inference.directory import locate_model
    from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

    if model is not None:
        normalizer = ValueNormalizer.load(locate_model(model) / NORMALIZER_FILE)
        normalizer.know_names(shop.schema)
        return normalizer
    return ValueNormalizer.fit(shop=shop, lexicon=lexicon_of(lexicon))


def _set_language(normalizer: ValueNormalizer, language: str | None) -> None:
    """What options are written in; raises :class:`ConfigError` where none has a name in it."""
    known = normalizer.languages()
    if language is not None and language not in known and language.partition("-")[0] not in known:
        there = f"there are {', '.join(known)}" if known else "no option has labels"
        raise ConfigError(
            f"language={language}: no option has a label in it; {there}; give some in the shop's file as "
            "{value: Blue, labels: {de: Blau}}"
        )
    normalizer.language = language


def _noting_conflicts(rows: Iterable[FilledRow], conflicts: list[Conflict]) -> Iterator[FilledRow]:
    """The rows, whose conflicts are put into the list while they pass."""
    from attrex.filling.conflicts import conflicts_of

    for row in rows:
        conflicts += conflicts_of(row)
        yield row


def _check_fill(
    out: str | Path | None,
    beside: Mapping[str, str | Path | None],
    sources: Iterable[Any],
    limit: int | None,
    model: str | Path | None,
    lexicon: Any,
) -> None:
    """Raise :class:`ConfigError` for what a filling cannot do; ``beside``: further files, by the argument's name."""
    from attrex.filling.changes import CHANGES_SUFFIXES

    if model is not None and lexicon is not None:
        raise ConfigError("a model knows the words of its lexicon from its training; give model or lexicon")
    written = [out]
    for name, path in beside.items():
        check_out(path, CHANGES_SUFFIXES, *sources, *written, option=name)
        written.append(path)
    for name, path in beside.items():
        if path is not None and out is None:
            raise ConfigError(f"{name} are written beside the table; give out, too, or read them in what is returned")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit should be 1 or more, or None for all predictions, got {limit}")
    if model is not None and not isinstance(model, str | Path):
        raise ConfigError(
            f"model should be a model directory or a hub name, got {type(model).__name__}: the shop's words are read "
            "from files of the directory"
        )


def limits_of(
    min_confidence: float | None,
    precision: float | None,
    pool: bool,
    cutoffs: Mapping[str, Cutoff] | None,
    model: str | Path | None,
) -> dict[str, Any]:
    """The limit of all, or one for each attribute; raises :class:`ConfigError` for what contradicts itself."""
    from attrex.filling.fill import MIN_CONFIDENCE
    from attrex.inference.selection import load_held_out

    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence should be between 0 and 1, got {min_confidence}")
    if precision is not None and min_confidence is not None:
        raise ConfigError(
            "`precision` chooses a limit for each attribute, min_confidence is one for all of them; give only one"
        )
    if cutoffs is not None and (precision is not None or min_confidence is not None):
        raise ConfigError("cutoffs are the limits; give neither precision nor min_confidence beside them")
    if precision is not None and model is None:
        raise ConfigError(
            "`precision` needs `model`: limits are chosen on held-out cells, which are in the model's directory"
        )
    if pool and precision is None:
        raise ConfigError("`pool` puts attributes together to reach a `precision`; give both, or neither")
    if model is not None and precision is not None:
        cutoffs = load_held_out(model).cutoffs(precision, pool=pool)
    return {"min_confidence": MIN_CONFIDENCE if min_confidence is None else min_confidence, "cutoffs": cutoffs}


def _predictions_in(given: Iterable[Prediction]) -> list[Prediction]:
    found = list(given)
    other = next((p for p in found if not isinstance(p, Prediction)), None)
    if other is not None:
        raise DataError(
            f"predictions should be a file or Prediction objects, got {type(other).__name__}; of a dict make one "
            "with Prediction.from_json"
        )
    return found


def report(
    models: ModelSource | Sequence[ModelSource],
    products: ProductSource,
    out: str | Path,
    *,
    shop: Shop | str | Path | None = None,
    photos: bool = True,
    most: int = 200,
    title: str | None = None,
    predictions: Iterable[Prediction] | None = None,
    filled: FillReport | Mapping[str, Any] | None = None,
    min_confidence: float | None = None,
    precision: float | None = None,
    allow_code: Iterable[str | type] = (),
) -> Path:
    """One self-contained HTML page: values in the text, the photo's heat-map for each, two models side by side.

    :param models: one model, or two to compare.
    :param most: how many products the page shows at most.
    :param predictions: of one model what :func:`extract` found in these products, so that only those that are shown
        are read again.
    :param filled: what became of the table, of :func:`fill` or as JSON; the page then begins with it.
    :param min_confidence: from which on a value is told to fill a blank cell; None: 0.5. As of :func:`fill`.
    :param precision: in place of it a limit for each attribute, as of :func:`fill`; of the first model's directory.
    """
    from attrex.reports.compose import report_page

    check_out(out, (".html", ".htm"), products, shop)
    listed = list(models) if isinstance(models, list | tuple) else [models]
    if not 1 <= len(listed) <= 2:
        raise ConfigError(f"a report compares one or two models, got {len(listed)}; make a page for each two")
    names = [str(m) if isinstance(m, str | Path) else f"model {i}" for i, m in enumerate(listed, 1)]
    directory = str(listed[0]) if isinstance(listed[0], str | Path) else None
    limits = limits_of(min_confidence, precision, False, None, directory)
    source = list(products_of(products, shop_of(shop, listed[0])))
    extractors = [extractor_of(m, allow_code=allow_code) for m in listed]
    pairs = list(zip(names, extractors, strict=True))
    read = None if predictions is None else _predictions_in(predictions)
    if read is not None and (len(listed) > 1 or len(read) != len(source)):
        raise DataError(
            f"predictions should be those of one model for each of the {len(source)} products, got {len(read)} and "
            f"{len(listed)} models; extract from the same products, or leave predictions out"
        )
    cells = filled if filled is None or isinstance(filled, Mapping) else filled.to_json()
    return report_page(
        out,
        source,
        pairs,
        photos=photos,
        most=most,
        title=title,
        predictions=read,
        cells=cells,
        limits=limits,
    )


def export(
    model: ModelSource,
    out: str | Path,
    *,
    sample: ProductSource | None = None,
    shop: Shop | str | Path | None = None,
    int8: bool = False,
    fast: ProductSource | None = None,
    against: ModelSource | None = None,
    tolerance: float = 0.002,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Parity:
    """Export a model to ONNX: extraction without torch, and faster. Refused if it finds other values than the model.

    :param model: a directory, a hub name, or a loaded model.
    :param sample: products of yours, best labelled, to compare on; None: 100 drawn ones.
    :param int8: the text encoder in 8 bits.
    :param fast: products to train a student of the model on (:func:`distill`), which is then exported with int8, and
        compared with the model. The student is kept beside ``out``, as ``OUT-student``, and a killed run goes on there.
    :param against: the model to compare with in place of ``model``, such as the one that it is a student of.
    :param tolerance: TAG-F1 that may be lost, 0..1.
    """
    from attrex.demo.catalogue import draw_catalogue
    from attrex.evaluation.parity import check_export, export_checked
    from attrex.pipeline.distilling import distill

    if fast is not None and against is not None:
        raise ConfigError("with `fast` the student is compared with its own model; give `fast` or against")
    teacher = trained_model(model, allow_code)
    reference = None if against is None else trained_model(against, allow_code)
    if sample is not None:
        products = list(products_of(sample, shop_of(shop, teacher)))
    else:  # their labels say nothing of this model's attributes
        products = [replace(d.product, spans=None) for d in draw_catalogue(100, seed=0)]
        note(progress, "no sample: compared on 100 drawn products; give products of your own to be sure")
    if fast is None:
        return export_checked(teacher, Path(out), products, int8=int8, tolerance=tolerance, against=reference)
    check_export(Path(out))
    student = distill(
        teacher,
        fast,
        Path(out).with_name(f"{Path(out).name}-student"),
        validation=None if sample is None else products,
        shop=shop,
        resume=True,
        progress=progress,
    )
    return export_checked(student, Path(out), products, int8=True, tolerance=tolerance, against=teacher)
