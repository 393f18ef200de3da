"""The review of a table's cells: what a run leaves to people goes in, their verdicts come out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError, DataError
from attrex.io.outputs import check_out
from attrex.pipeline.given import ProductSource, shop_of
from attrex.pipeline.use import fill, normalizer_of, products_to_fill
from attrex.progress import Progress, note, silent, track
from attrex.shop.shop import Shop
from attrex.types import Prediction, Product

if TYPE_CHECKING:
    from attrex.inference.selection import Cutoff
    from attrex.review.cells import Added
    from attrex.review.collecting import Collected
    from attrex.review.exchange import Imported
    from attrex.review.store import ReviewStore
    from attrex.review.verdicts import Verdicts

ANNOTATION_TOOLS = ("label-studio", "argilla")
"""Tools whose files cells go to, and come back from."""


def review_add(
    store: ReviewStore | str | Path,
    table: ProductSource,
    predictions: Iterable[Prediction] | str | Path,
    *,
    model: str | Path | None = None,
    shop: Shop | str | Path | None = None,
    min_confidence: float | None = None,
    precision: float | None = None,
    pool: bool = False,
    cutoffs: Mapping[str, Cutoff] | None = None,
    known_only: bool = False,
    sample: int | None = None,
    least: float | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> tuple[Added, Collected]:
    """Put the cells of a table that a person should look at into a review store; what became of them, and which.

    They are what :func:`attrex.fill` makes of the same table, with the same limits: doubtful finds in blank cells,
    finds in cells that have none, filled cells that are probably wrong, and a random sample of what would be filled in.

    :param store: a store, or where it is: a SQLite file, or the address of a database.
    :param predictions: what :func:`attrex.extract` returned or wrote for the table.
    :param sample: how many sure cells are drawn; None: 200.
    :param least: of blank cells, those whose surest find has at least this confidence; None: 0.1.
    """
    from attrex.filling.report import found_kinds
    from attrex.io.predictions import read_predictions
    from attrex.review.collecting import LEAST, SAMPLE, collect

    shop = shop_of(shop, model)
    kept = predictions if isinstance(predictions, str | Path) else list(predictions)
    normalizer = normalizer_of(model, shop, None)
    rows = read_predictions(kept) if isinstance(kept, str | Path) else iter(kept)
    kinds = found_kinds(value for prediction in rows for value in prediction.values)
    known = {*normalizer.attributes, *(kind.attribute for kind in kinds)}
    products, shop = products_to_fill(table, shop, known)
    filling = fill(
        products,
        kept,
        model=model,
        shop=shop,
        min_confidence=min_confidence,
        precision=precision,
        pool=pool,
        cutoffs=cutoffs,
        known_only=known_only,
        limit=limit,
        progress=progress,
    )
    with _opened(store) as opened:
        collected = collect(
            zip(track(products, "choosing cells", progress), filling.rows, strict=False),
            lambda text: normalizer.folded[text],
            sample=SAMPLE if sample is None else sample,
            least=LEAST if least is None else least,
            known=opened.decided_cells(),
            options={a.name: a.options for a in shop.schema.attributes},
        )
        return opened.add(collected.cells, collected.population, collected.products), collected


def review_export(store: ReviewStore | str | Path, out: str | Path, *, to: str | None = None) -> int:
    """Verdicts as a file that :func:`attrex.train` and :func:`attrex.calibrate` learn from; returns how many.

    :param out: .jsonl or .jsonl.gz; or the tool's file.
    :param to: label-studio or argilla: in place of the verdicts the products of open cells, for people to mark there.
    """
    from attrex.review.exchange import write_cells
    from attrex.review.verdicts import VERDICT_SUFFIXES, write_verdicts

    check_out(out, () if to else VERDICT_SUFFIXES, *([] if _is_open(store) else [store]))
    if to is not None and to not in ANNOTATION_TOOLS:
        raise ConfigError(f"`to` should be one of {', '.join(ANNOTATION_TOOLS)}, got {to!r}")
    with _opened(store) as opened:
        return write_verdicts(out, opened.decided()) if to is None else write_cells(opened, out, to)


def review_import(
    store: ReviewStore | str | Path, file: str | Path, *, reviewer: str, kind: str | None = None
) -> Imported:
    """Decide cells by a file: verdicts, or what people marked in an annotation tool.

    :param reviewer: who said so, where the file does not tell.
    :param kind: label-studio or argilla; None: by what the file has.
    """
    from attrex.io.annotations.files import format_of, read_annotations
    from attrex.review.exchange import annotated_verdicts, import_verdicts
    from attrex.review.verdicts import read_verdicts

    path = Path(file)
    kind = kind or (format_of(path) if path.exists() else None)
    with _opened(store) as opened:
        if kind is None:
            return import_verdicts(opened, read_verdicts(path), reviewer)
        said = annotated_verdicts(opened, read_annotations(path, kind=kind))
        return import_verdicts(opened, list(said), reviewer)


def tell_verdicts(verdicts: Verdicts, products: Collection[Product], progress: Progress) -> None:
    """What verdicts say of products; raises :class:`DataError` where they are of none of them."""
    if not verdicts:
        return
    counts = verdicts.count(products)
    if len(counts.missing) == len(verdicts):
        raise DataError(
            f"verdicts: expected some of these {len(products):,} products, which are matched by id, got "
            f"{len(verdicts):,} of others, such as {counts.missing[0]!r}; give the products that were reviewed"
        )
    note(progress, counts.render())


def _is_open(store: Any) -> bool:
    return not isinstance(store, str | Path)


def _opened(store: ReviewStore | str | Path) -> Any:
    """The store for a block; one that is given stays open."""
    from contextlib import nullcontext

    if _is_open(store):
        return nullcontext(store)
    return open_store(store)  # type: ignore[arg-type]


def open_store(where: str | Path) -> ReviewStore:
    """A review store. Raises :class:`ConfigError` where what it needs is not installed."""
    try:
        from attrex.review.store import ReviewStore
    except ModuleNotFoundError as exc:
        if (exc.name or "").split(".")[0] != "sqlalchemy":
            raise
        raise ConfigError("a review store needs SQLAlchemy; install it: pip install 'attrex[review]'") from exc
    return ReviewStore(where)
