"""The whole job as functions: locate, check, train, extract, fill, evaluate, report, export.

The commands of the same names parse and print; a notebook, a job or a server calls these. Products are given as a file
(or any other source of :func:`~attrex.io.readers.read_products`), as :class:`~attrex.io.readers.Products`, or as a list
of products, of dicts or of texts. Long work reports to ``progress`` (:mod:`attrex.progress`). Errors are
:class:`~attrex.errors.AttrexError` and name arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError, DataError
from attrex.io.readers import Products, Source
from attrex.io.rows import as_products
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import DEFAULT_SHOP, Shop
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.config import Config
    from attrex.evaluation.evaluate import Evaluation
    from attrex.evaluation.parity import Parity
    from attrex.filling.fill import FilledRow
    from attrex.filling.report import FillReport
    from attrex.inference.checkpoint import Model
    from attrex.inference.extractor import Attributes, Extractor
    from attrex.io.predictions import PredictionCounts
    from attrex.labels.report import LabelReport
    from attrex.quality import CheckReport
    from attrex.vocabulary.lexicon import Lexicon

    ModelSource = str | Path | Model | Extractor  # a directory, a name on the Hugging Face hub, or a loaded one

ProductSource = Source | Products | Iterable[Product | Mapping[str, Any] | str]
"""A file, a data set, or products, dicts or texts."""
MINE = "mine"
"""In place of a lexicon: mine one from the products."""
HELD_OUT = 0.1
"""Share of the training products, by group, that validation takes where no validation products are given."""


# ---- labels ---------------------------------------------------------------------------------------------------------


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
    :param lexicon: what the texts call the values: a lexicon, its file, or ``MINE`` to mine one from the texts first.
    :param relabel: label anew what has labels already, but for complete products.
    """
    from attrex.io.products import write_products
    from attrex.labels.labeler import DistantLabeler
    from attrex.labels.mining import mine
    from attrex.shop.cells import ColumnCounts

    shop = _shop(shop)
    products = _products(table, shop)
    words = mine(track(products, "mining", progress), shop) if lexicon == MINE else _lexicon(lexicon)
    columns = ColumnCounts()
    attributes = dict.fromkeys(a for p in track(_counted(products, columns), "reading", progress) for a in p.table)
    labeler = DistantLabeler(shop, words)
    labeler.add_headings(attributes)
    rows = track(_counted(products, labeler.report.columns), "locating", progress)
    labelled = (labeler.label(replace(p, spans=None) if relabel and not p.complete else p) for p in rows)
    if out is None:
        kept: Iterable[Product] = list(labelled)
    else:
        write_products(out, labelled)
        kept = Products(out)
    return Labelled(kept, labeler.report, words, tuple(shop.unused(columns.columns)))


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

    shop = _shop(shop)
    wanted = {p.id: p for p in _products(references, shop) if p.spans is not None}
    same = [p for p in _products(table, shop) if p.id in wanted and p.error is None]
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
    progress: Progress = silent,
) -> CheckReport:
    """What to know of a data set before training: fill rates, lengths, photos, leaks between splits, and advice.

    :param splits: the data by name, such as ``{"train": ..., "valid": ...}``, or a single source.
    :param preset: the text encoder and window size to measure lengths with.
    :param photos: decode every photo.
    """
    from attrex.config import Config
    from attrex.encoding.units import whole_texts
    from attrex.inference.checkpoint import load_tokenizer
    from attrex.labels.mentions import UnlabelledMentions
    from attrex.model.text_encoder import resolve_text_model
    from attrex.quality import check_splits
    from attrex.vocabulary.word_lists import WordLists

    shop, config = _shop(shop), Config.load(preset)
    named = splits if isinstance(splits, Mapping) else {"data": splits}
    sources = {name: _products(source, shop) for name, source in named.items()}
    texts = [p.without_images() for p in track(chain.from_iterable(sources.values()), "reading", progress)]
    mentions = UnlabelledMentions.learn(
        texts, shop.learn(texts).schema, min_share=config.range.mention_share, words=WordLists.of(shop)
    )
    backend = whole_texts(load_tokenizer(resolve_text_model(config.text.model)))
    return check_splits(
        {name: track(products, f"checking {name}", progress) for name, products in sources.items()},
        count_tokens=lambda text: len(backend.encode(text, add_special_tokens=False).ids),
        max_tokens=config.text.max_tokens,
        overlap=config.text.overlap,
        check_images=photos,
        image_size=config.image.size,
        mentions=mentions,
    )


# ---- training -------------------------------------------------------------------------------------------------------


def train(
    products: ProductSource,
    validation: ProductSource | None = None,
    directory: str | Path = "runs/shop",
    *,
    shop: Shop | str | Path | None = None,
    config: Config | str | Path = "small",
    settings: Sequence[str] = (),
    gold: ProductSource | None = None,
    train_gold: ProductSource | None = None,
    teacher: Iterable[Prediction] | str | Path | None = None,
    resume: bool = False,
    trackers: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Model:
    """Train a model and write its directory; the best state by validation TAG-F1 is kept.

    Products without labels, but with a table, get its values located first, as :func:`locate` does.

    :param validation: None: a tenth of the products, by group, is held out.
    :param config: a configuration, the name of a preset, or a YAML file; ``settings`` such as ``training.epochs=2``
        change it.
    :param gold: products labelled in full by hand, in place of ``validation``; S_thr is chosen on them, too.
    :param train_gold: products labelled in full by hand, to learn from beside the others.
    :param teacher: predictions of another model for the products, or their file: labels for unknown cells.
    :param resume: continue an interrupted run; a finished one is loaded.
    :param trackers: where curves go; None: TensorBoard if it is installed.
    """
    from attrex.config import Config
    from attrex.io.splitting import split_by_group
    from attrex.training.train import train_model

    if gold is not None and validation is not None:
        raise ConfigError("gold takes the place of validation; give one of them")
    settings = [*(["range.tune_threshold=true"] if gold is not None else ()), *settings]
    if not isinstance(config, Config):
        config = Config.load(config, settings)
    elif settings:
        raise ConfigError("settings change a preset or a file; of a Config, load it with them: Config.load(..., [...])")
    shop = _shop(shop)
    learned, lexicon = _labelled(track(_products(products, shop), "reading", progress), shop, None, progress)
    if gold is not None:
        chosen_on = labelled_by_hand(_products(gold, shop))
    elif validation is not None:
        rows = track(_products(validation, shop), "reading", progress)
        chosen_on, _ = _labelled(rows, shop, lexicon, progress)
    else:
        learned, chosen_on = split_by_group(learned, HELD_OUT)
        note(progress, f"validation: {len(chosen_on):,} of the products, by group, held out of training")
    if train_gold is not None:
        learned += labelled_by_hand(_products(train_gold, shop))
    return train_model(
        learned,
        chosen_on,
        directory,
        config=config,
        shop=shop,
        lexicon=lexicon,
        resume=resume,
        trackers=trackers,
        progress=progress,
        teacher=teacher,
    )


def labelled_by_hand(products: Iterable[Product]) -> list[Product]:
    """Products whose labels are all there are. Raises :class:`DataError` for one that nobody has labelled."""
    found = [replace(p, complete=True) for p in products]
    bare = next((p.id for p in found if p.error is None and p.spans is None), None)
    if bare is not None:
        raise DataError(
            f"products labelled by hand: {bare!r} has no spans, so that nobody seems to have labelled it; label it, "
            "give it `spans: []` if none of its words is a value, or leave it out"
        )
    return found


def _labelled(
    products: Iterable[Product], shop: Shop, lexicon: Lexicon | None, progress: Progress
) -> tuple[list[Product], Lexicon | None]:
    """Products with spans, and the lexicon that those without were labelled by; None where all had spans."""
    found = list(products)
    bare = sum(p.spans is None and p.error is None for p in found)
    if not bare:
        return found, None
    labelled = locate(found, shop=shop, lexicon=lexicon or MINE, progress=progress)
    note(
        progress,
        f"{bare:,} of {len(found):,} products had no labels: the values of their table were located in their texts "
        f"({labelled.report.summary()})",
    )
    return list(labelled), labelled.lexicon


# ---- using a model --------------------------------------------------------------------------------------------------


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
    :param cache: a directory that keeps encoded photos for the next run.
    :param resume: continue an interrupted extraction into ``out``.
    :param options: what else the rows depend on, e.g. how the products were read; resuming with other ones is refused.
    :param allow_code: classes that the model may name as its own (docs/extending.md).
    """
    from attrex.inference.extractor import CHUNK
    from attrex.io.predictions import PredictionCounts, PredictionFile, read_predictions

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
        "cache_dir": Path(cache) if cache else None,
        "allow_code": allow_code,
    }
    if out is None:
        extractor = _extractor(model, **loading)
        rows = track(_products(products, _shop(shop, model)), "extracting", progress)
        found = list(extractor.extract(rows, **how))
        counts = PredictionCounts()
        for prediction in found:
            counts.add(prediction.to_json())
        return Extraction(counts, predictions=found)
    name = str(model) if isinstance(model, str | Path) else type(model).__name__
    depends_on = {"model": str(Path(name).resolve()) if Path(name).exists() else name, "precision": precision}
    depends_on |= {key: value for key, value in how.items() if not callable(value)} | dict(options or {})
    target = PredictionFile(out, resume=resume, options=depends_on)
    source = _products(products, _shop(shop, model))
    if target.finished:
        target.check_same(source, _ids_counted(read_predictions(out), target.counts))
        note(progress, f"{out} is finished already: nothing left to do; delete it to extract again")
    else:
        with target.open():
            extractor = _extractor(model, **loading)
            how["batch_size"] = size = batch_size or extractor.model.config.training.eval_batch_size
            left = target.remaining(source, step=size * CHUNK)
            target.write(track(extractor.extract(left, **how), "extracting", progress, done=target.counts.rows))
    return Extraction(target.counts, Path(out))


@dataclass(frozen=True)
class Filling:
    """A filled table and what became of its cells."""

    report: FillReport
    path: Path | None = None
    rows: Sequence[FilledRow] = field(default=(), repr=False)  #: where there is no file


def fill(
    table: ProductSource,
    predictions: Iterable[Prediction] | str | Path,
    out: str | Path | None = None,
    *,
    changes: str | Path | None = None,
    model: str | Path | None = None,
    shop: Shop | str | Path | None = None,
    catalog: Sequence[ProductSource] = (),
    lexicon: Lexicon | str | Path | None = None,
    min_confidence: float = 0.5,
    known_only: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
) -> Filling:
    """Fill the blank cells of a table with what was extracted, in the shop's own words. Filled cells never change.

    :param table: the products that were read, with their table.
    :param predictions: what :func:`extract` returned or wrote for them.
    :param out: the filled table, .csv, .jsonl or .parquet; None: rows are kept in memory.
    :param changes: where every value and what became of it goes, .csv or .jsonl.
    :param model: the model that read the products: it knows the shop's words from its training, and the shop.
    :param catalog: more products with their table to learn the shop's words from.
    :param lexicon: what the texts call the values; a model knows its own.
    :param min_confidence: values below it do not count.
    :param known_only: fill with values that the table, shop or lexicon has, and no others.
    :param limit: only the first so many predictions, where ``table`` is read so far.
    """
    from attrex.filling.changes import write_filled
    from attrex.filling.fill import fill_table
    from attrex.filling.report import FillReport
    from attrex.inference.directory import locate_model
    from attrex.io.predictions import read_predictions
    from attrex.io.tables import SEPARATOR, TABLE_SUFFIXES
    from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

    if model is not None and lexicon is not None:
        raise ConfigError("a model knows the words of its lexicon from its training; give model or lexicon")
    if changes is not None and out is None:
        raise ConfigError("changes are written beside the table; give out, too, or read them in the rows")
    if out is not None and Path(out).suffix.lower() not in TABLE_SUFFIXES:
        raise ConfigError(f"out should end in {', '.join(TABLE_SUFFIXES)}, got {Path(out).name!r}")
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence should be between 0 and 1, got {min_confidence}")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit should be 1 or more, or None for all predictions, got {limit}")
    if model is not None and not isinstance(model, str | Path):
        raise ConfigError(
            f"model should be a model directory or a hub name, got {type(model).__name__}: the shop's words are read "
            "from files of the directory"
        )
    if isinstance(catalog, str | Path | Products):
        raise ConfigError("catalog should be a list of sources, got a single one; put it into a list")
    shop = _shop(shop, model)
    if model is not None:
        normalizer = ValueNormalizer.load(locate_model(model) / NORMALIZER_FILE)
    else:
        normalizer = ValueNormalizer.fit(shop=shop, lexicon=_lexicon(lexicon))
    for source in catalog:
        normalizer.refine(track(_products(source, shop), "learning the words", progress))
    products = _products(table, shop)
    found = predictions if isinstance(predictions, str | Path) else list(predictions)
    if not isinstance(found, str | Path):
        other = next((p for p in found if not isinstance(p, Prediction)), None)
        if other is not None:
            raise DataError(
                f"predictions should be a file or Prediction objects, got {type(other).__name__}; of a dict make one "
                "with Prediction.from_json"
            )

    def read() -> Iterator[Prediction]:
        rows = read_predictions(found) if isinstance(found, str | Path) else iter(found)
        return islice(rows, limit)

    normalizer.refine(track(products, "learning the words", progress), read())
    rows = fill_table(
        track(products, "filling", progress), read(), normalizer, min_confidence=min_confidence, known_only=known_only
    )
    if out is None:
        report, kept = FillReport(), list(rows)
        for row in kept:
            report.add(row)
        return Filling(report, rows=kept)
    report = write_filled(
        rows,
        Path(out),
        Path(changes) if changes else None,
        id_column=shop.columns.id,
        order=normalizer.attributes,
        separator=shop.cells.separator or SEPARATOR,
    )
    return Filling(report, Path(out))


def evaluate(
    model: ModelSource,
    products: ProductSource,
    *,
    shop: Shop | str | Path | None = None,
    by_hand: bool = False,
    attributes: Collection[str] | None = None,
    threshold: float | None = None,
    photos: bool = True,
    evidence: bool = False,
    gold_attributes: bool = False,
    bootstrap: int = 1000,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Score a model on labelled products: TAG-F1, CLS-F1, accuracy, macro-F1, per attribute, with intervals.

    Where labels are not complete, bounds of the precision come with the scores.

    :param by_hand: the products are labelled in full by hand.
    :param attributes: score only these.
    :param threshold: S_thr in place of the model's.
    :param gold_attributes: ask each product only for the attributes that it has, as some papers do.
    :param bootstrap: resamples of the confidence intervals.
    """
    from attrex.evaluation.evaluate import evaluate_extractor, evaluation_remarks
    from attrex.evaluation.metrics import count

    source = _products(products, _shop(shop, model))
    labelled = labelled_by_hand(source) if by_hand else list(source)
    count(labelled, [None] * len(labelled), attributes=attributes)  # labels that cannot be scored are an error at once
    extractor = _extractor(model, allow_code=allow_code)
    for remark in evaluation_remarks(labelled, extractor.names, attributes):
        note(progress, f"note: {remark}")
    return evaluate_extractor(
        extractor,
        track(labelled, "extracting", progress),
        attributes=attributes,
        bootstrap=bootstrap,
        threshold=threshold,
        photos=photos,
        evidence=evidence,
        gold_attributes=gold_attributes,
    )


def report(
    models: ModelSource | Sequence[ModelSource],
    products: ProductSource,
    out: str | Path,
    *,
    shop: Shop | str | Path | None = None,
    photos: bool = True,
    most: int = 200,
    title: str | None = None,
    allow_code: Iterable[str | type] = (),
) -> Path:
    """One self-contained HTML page: values in the text, the photo's heat-map for each, two models side by side.

    :param models: one model, or two to compare.
    :param most: how many products the page shows at most.
    """
    from attrex.reports.compose import report_page

    listed = list(models) if isinstance(models, list | tuple) else [models]
    if not 1 <= len(listed) <= 2:
        raise ConfigError(f"a report compares one or two models, got {len(listed)}; make a page for each two")
    names = [str(m) if isinstance(m, str | Path) else f"model {i}" for i, m in enumerate(listed, 1)]
    source = list(_products(products, _shop(shop, listed[0])))
    extractors = [_extractor(m, allow_code=allow_code) for m in listed]
    return report_page(out, source, list(zip(names, extractors, strict=True)), photos=photos, most=most, title=title)


def export(
    model: ModelSource,
    out: str | Path,
    *,
    sample: ProductSource | None = None,
    shop: Shop | str | Path | None = None,
    int8: bool = False,
    tolerance: float = 0.002,
    allow_code: Iterable[str | type] = (),
    progress: Progress = silent,
) -> Parity:
    """Export a model to ONNX: extraction without torch, and faster. Refused if it finds other values than the model.

    :param model: a directory, a hub name, or a loaded model.
    :param sample: products of yours, best labelled, to compare on; None: 100 drawn ones.
    :param int8: the text encoder in 8 bits.
    :param tolerance: TAG-F1 that may be lost, 0..1.
    """
    from attrex.demo.catalogue import draw_catalogue
    from attrex.evaluation.parity import export_checked
    from attrex.inference.checkpoint import Model, load_model

    model = getattr(model, "model", model)  # an extractor's
    if not isinstance(model, str | Path | Model):
        raise ConfigError(f"expected a trained model to export, got {type(model).__name__}; give its directory")
    if sample is not None:
        products = list(_products(sample, _shop(shop, model)))
    else:  # their labels say nothing of this model's attributes
        products = [replace(d.product, spans=None) for d in draw_catalogue(100, seed=0)]
        note(progress, "no sample: compared on 100 drawn products; give products of your own to be sure")
    loaded = load_model(model, allow_code=allow_code) if isinstance(model, str | Path) else model
    return export_checked(loaded, Path(out), products, int8=int8, tolerance=tolerance)


def _ids_counted(predictions: Iterable[Prediction], counts: PredictionCounts) -> Iterator[str]:
    for prediction in predictions:
        counts.add(prediction.to_json())
        yield prediction.id


# ---- what is given --------------------------------------------------------------------------------------------------


def _shop(shop: Shop | str | Path | None, model: Any = None) -> Shop:
    """The shop that is given, else the model's, else one with nothing but defaults."""
    from attrex.inference.directory import model_shop

    if shop is not None:
        return shop if isinstance(shop, Shop) else Shop.load(shop)
    if isinstance(model, str | Path):
        return model_shop(model)
    if model is not None:
        return getattr(model, "model", model).shop
    return DEFAULT_SHOP


def _products(source: ProductSource, shop: Shop) -> Iterable[Product]:
    """Products that can be iterated again."""
    if isinstance(source, Labelled):
        return source.products
    if isinstance(source, Products):
        return source
    if isinstance(source, Mapping) and any(isinstance(value, str) for value in source.values()):
        raise DataError("products should be a list or another iterable, got one row; put a single one into a list")
    if isinstance(source, str | Path | Mapping) or hasattr(source, "with_format"):
        return Products(source, shop=shop)  # type: ignore[arg-type]
    return list(as_products(source, shop))


def _counted(products: Iterable[Product], counts: Any) -> Iterable[Product]:
    """The same, with their columns counted where they are read from a file."""
    return products.counted(counts) if isinstance(products, Products) else products


def _lexicon(lexicon: Lexicon | str | Path | None) -> Lexicon:
    from attrex.vocabulary.lexicon import NOTHING_MINED, Lexicon

    if lexicon is None:
        return NOTHING_MINED
    return lexicon if isinstance(lexicon, Lexicon) else Lexicon.load(lexicon)


def _extractor(model: Any, **options: Any) -> Extractor:
    from attrex.inference.extractor import Extractor

    if isinstance(model, Extractor):
        return model
    if isinstance(model, str | Path):
        return Extractor.load(model, **options)
    return Extractor(model)
