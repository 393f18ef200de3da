"""A model in Spark: `pip install 'attrex[spark]'` where the driver and the executors run.

extract(spark.read.parquet("s3a://shop/products"), "runs/shop").write.parquet("s3a://shop/values")

Spark reads CSV in a way of its own: give it Parquet, or set ``multiLine`` and ``escape='"'``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrex.errors import ConfigError, DataError
from attrex.filling.columns import check_columns
from attrex.io.confinement import PhotoFolders
from attrex.io.content import model_hash
from attrex.io.files import arrow_rows
from attrex.io.parquet import ROWS_AT_ONCE, arrow_table
from attrex.io.remote import is_remote
from attrex.io.remote_photos import RemotePhotos
from attrex.io.rows import RawRecord, row_products, to_product
from attrex.jobs.folder import LocalFolder
from attrex.jobs.tables import long_rows, long_schema, wide_row, wide_schema
from attrex.jobs.task import How, ShardRunner, Task
from attrex.shop.cells import ColumnCounts
from attrex.shop.shop import Shop

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NAME = "the data frame"
_loaded: list[ShardRunner] = []
"""The model of a worker process, which Spark keeps for the next partitions."""


def extract(
    df: DataFrame,
    model: str | Path,
    *,
    form: str = "long",
    shop: Shop | str | Path | None = None,
    images: str | Path | None = None,
    allow_outside: bool = False,
    min_confidence: float | None = None,
    fill_precision: float | None = None,
    pool: bool = False,
    allow_code: Iterable[str | type] = (),
    **how: Any,
) -> DataFrame:
    """Extract, name and fill the products of a data frame, a row each; the columns are those of docs/how-to/run.md.

    Each worker process of Spark loads the model once. Rows stay in their partitions, in their order. A row that cannot
    be read comes out marked, in the column ``error`` or ``attrex:error``.

    :param model: a directory that the executors find under the same name.
    :param form: ``long``: a row for each value; ``wide``: a column for each attribute.
    :param images: where photos are, a folder or an address; None: the executors' working directory.
    :param how: further fields of :class:`~attrex.jobs.task.How`.

    The other arguments are those of :func:`~attrex.pipeline.run`. Batches come by ``mapInArrow``, and not by
    ``mapInPandas``, which makes 7.0 of the whole number 7 in a column that has blanks.

    Raises :class:`DataError` for a data frame without the columns that the shop names, or without ids: row numbers,
    which stand in for them elsewhere, are those of a partition.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    from attrex.inference.directory import locate_model
    from attrex.pipeline.given import shop_of
    from attrex.pipeline.running import known_attributes
    from attrex.pipeline.use import limits_of
    from attrex.vocabulary.normalizer import NORMALIZER_FILE, ValueNormalizer

    if form not in ("long", "wide"):
        raise ConfigError(f"form should be long or wide, got {form!r}")
    asked, directory = shop_of(shop, model), locate_model(model)
    _check(df.columns, asked, known_attributes(model))
    schema = long_schema()
    if form == "wide":
        names, normalizer = shop_of(None, model).schema.names, ValueNormalizer.load(directory / NORMALIZER_FILE)
        schema = wide_schema(names, normalizer.is_single_valued)
    how |= limits_of(min_confidence, fill_precision, pool, None, model)
    path = str(model) if isinstance(model, str) and not Path(model).is_dir() else str(Path(model).resolve())
    task = Task(path, (), LocalFolder(Path()), How(form=form, **how), model_hash(directory), tuple(allow_code))
    photos = PhotoFolders([Path(images or "")], not allow_outside, NAME)
    if is_remote(images):
        photos = RemotePhotos.below(str(images), NAME)
    return df.mapInArrow(_on_executors(task, asked, photos, schema), from_arrow_schema(schema))


def _on_executors(
    task: Task, shop: Shop, photos: PhotoFolders, schema: Any
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What Spark sends to its workers."""

    def batches(tables: Iterator[Any]) -> Iterator[Any]:
        runner = _runner(task)
        single = runner.normalizer.is_single_valued
        products = (to_product(row, shop, photos) for row in arrow_rows(tables, NAME))
        rows = (
            one
            for row, found in runner.rows(products)
            for one in (
                long_rows(row, found, task.model_hash)
                if task.how.form == "long"
                else [wide_row(row, runner.extractor.names, single, task.model_hash)]
            )
        )
        while some := list(islice(rows, ROWS_AT_ONCE)):
            yield from arrow_table(some, schema).to_batches()

    return batches


def _runner(task: Task) -> ShardRunner:
    if not (_loaded and _loaded[0].task == task):
        _loaded[:] = [task.load()]
    return _loaded[0]


def _check(columns: list[str], shop: Shop, known: set[str]) -> None:
    counts = ColumnCounts()
    row = RawRecord(NAME, 1, dict.fromkeys(columns))
    row_products(iter([row]), NAME, shop, PhotoFolders([Path()], source=NAME), counts)
    check_columns(NAME, counts.unread, known)
    if shop.columns.id not in columns:
        raise DataError(f"{NAME}: expected ids in the column {shop.columns.id!r}, got {columns}; add one")
