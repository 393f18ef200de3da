#!/usr/bin/env bash
# pyspark 4.3.0: a function of mapInPandas gets the same whole number as 7 or as 7.0, by the rows that share its batch.
#
# One would guess: a column that the data frame declares as `long` comes to the function as whole numbers, and a blank
#   among them as a missing value.
# What happens: each batch is turned into pandas by itself. Where one of its rows is blank, the column is float64: 7 is
#   7.0, and 9007199254740993 is 9007199254740992. The next batch, without a blank, has int64. No error, no warning.
# Why it matters: an id or a size that is written as text is another one in another company: other batches, another
#   number of partitions, one row more, and "7" is "7.0". Ids beyond 2**53 become those of other products.
# What to do: take mapInArrow, which keeps the type and the blanks; or cast such columns to strings before.
# Needs Java 17 or newer on the PATH.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pyspark==4.3.0 pandas==3.1.1 pyarrow==26.0.1

PYTHONIOENCODING=utf-8 PYTHONWARNINGS=ignore "$work/venv/bin/python" - 2>"$work/log" <<'PY' || { tail -5 "$work/log" >&2; exit 1; }
import os
import sys

os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable

import pandas
import pyarrow as pa
import pyspark
from pyspark.sql import SparkSession

ROWS = [(7, 1), (9007199254740993, 2), (None, 3), (7, 4), (9007199254740993, 5), (8, 6)]
STATED = {
    "mapInPandas, three rows a batch": ["7.0", "9007199254740992.0", "nan", "7", "9007199254740993", "8"],
    "mapInPandas, one row a batch": ["7", "9007199254740993", "nan", "7", "9007199254740993", "8"],
    "mapInArrow, three rows a batch": ["7", "9007199254740993", "None", "7", "9007199254740993", "8"],
}


def of_pandas(tables):
    for table in tables:
        yield table.assign(said=[str(value) for value in table["size"]])[["place", "said"]]


def of_arrow(batches):
    for batch in batches:
        said = [str(value) for value in batch.column("size").to_pylist()]
        yield pa.RecordBatch.from_arrays([batch.column("place"), pa.array(said, pa.string())], ["place", "said"])


def seen(rows_of_a_batch, way, function):
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows_of_a_batch)
    frame = spark.createDataFrame(ROWS, "size long, place long").coalesce(1)
    return [row.said for row in getattr(frame, way)(function, "place long, said string").orderBy("place").collect()]


spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print("pyspark", pyspark.__version__, "pandas", pandas.__version__, "pyarrow", pa.__version__)
found = {
    "mapInPandas, three rows a batch": seen(3, "mapInPandas", of_pandas),
    "mapInPandas, one row a batch": seen(1, "mapInPandas", of_pandas),
    "mapInArrow, three rows a batch": seen(3, "mapInArrow", of_arrow),
}
spark.stop()
for case, said in found.items():
    print(f"{case}: {said}")
if found != STATED:
    sys.exit("changed: this is not what the header states")
print("as stated: whole numbers beside a blank are broken ones, and large ones are others")
PY
