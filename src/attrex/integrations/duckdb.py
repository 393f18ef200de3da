"""A job's results in DuckDB: `pip install 'attrex[duckdb]'`.

results("values").filter("outcome = 'filled'").aggregate("attribute, count(*)")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrex.errors import DataError
from attrex.io.remote import filesystem, is_remote, join, scheme_of
from attrex.jobs.folder import folder_of
from attrex.jobs.manifest import read_job
from attrex.jobs.task import part_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation


def results(directory: str | Path, connection: DuckDBPyConnection | None = None) -> DuckDBPyRelation:
    """The files of a job that `attrex run --long` or `--wide` wrote, in the order of the products.

    The columns are those of docs/how-to/run.md. Nothing is copied: DuckDB reads what a query asks for.

    :param connection: None: DuckDB's own one.

    Raises :class:`DataError` for the folder of no job, of one of rows of JSON, and of one that is not finished.
    """
    import duckdb

    folder = folder_of(directory)
    about = read_job(folder)
    form, count = about["form"], len(about["shards"])
    if form == "rows":
        raise DataError(f"{directory}: expected Parquet, got rows of JSON; run the job with form long or wide")
    names, sizes = [part_name(number, form) for number in range(count)], folder.sizes("part-*.parquet")
    missing = [name for name in names if name not in sizes]
    if missing:
        raise DataError(f"{directory}: expected {count:,} files, but {missing[0]} is missing; run the job to its end")
    connection = connection or duckdb.default_connection()
    if is_remote(directory) and not connection.filesystem_is_registered(scheme_of(directory)):
        connection.register_filesystem(filesystem(folder.name)[0])
    return connection.read_parquet([join(folder.name, name) for name in names])
