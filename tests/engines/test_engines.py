"""Ray and Spark find what this machine's workers find. They take minutes: `make engines`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import attrex
from attrex.config import Config
from attrex.errors import ConfigError, DataError
from attrex.jobs.ray import RayWorkers
from attrex.shop.schema import Schema
from attrex.shop.shop import Shop
from attrex.training.train import new_model
from attrex.types import Product
from attrex.vocabulary.normalizer import ValueNormalizer

pytestmark = pytest.mark.engines
OPTIONS: dict[str, Any] = {"shard_rows": 5, "min_confidence": 0.0, "deterministic": True}


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, tiny: Config, schema: Schema, products: list[Product]) -> Path:
    torch.manual_seed(0)
    model = new_model(tiny, Shop(schema=schema))
    model.normalizer = ValueNormalizer.fit(products, shop=model.shop)
    model.thresholds = {"range": 0.47}
    return model.save(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory, products: list[Product]) -> Path:
    """Twelve products with photos; one has a photo that there is not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("shop")
    rows: list[dict[str, Any]] = []
    for n, product in enumerate(products[:12]):
        (photo,) = product.images[:1]
        (folder / f"{n}.png").write_bytes(photo if isinstance(photo, bytes) else photo.read_bytes())
        table = json.dumps({a: list(v) for a, v in product.table.items()})
        rows.append({"id": product.id, "title": "", **product.fields, "image": f"{n}.png", "attributes": table})
    rows[3]["image"] = "none.png"
    pq.write_table(pa.Table.from_pylist(rows), folder / "catalogue.parquet", row_group_size=5)
    return folder / "catalogue.parquet"


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory, model_dir: Path, catalogue: Path) -> Path:
    """The folder of the same job on this machine."""
    out = tmp_path_factory.mktemp("jobs") / "values"
    attrex.run(model_dir, catalogue, out, workers=0, form="long", **OPTIONS)
    return out


def parts(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("part-*")}


@pytest.fixture
def ray_is_there() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'attrex[ray]'")


@pytest.mark.usefixtures("ray_is_there")
def test_ray_writes_the_same_bytes(values: Path, model_dir: Path, catalogue: Path, tmp_path: Path) -> None:
    result = attrex.run(model_dir, catalogue, tmp_path / "ray", workers=2, engine="ray", form="long", **OPTIONS)
    assert (result.shards, result.rows, result.failed) == (3, 12, [])
    assert parts(tmp_path / "ray") == parts(values)
    again = attrex.run(model_dir, catalogue, tmp_path / "ray", workers=2, engine="ray", form="long", **OPTIONS)
    assert again.skipped == 3


@pytest.mark.usefixtures("ray_is_there")
@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there(address: str) -> None:
    with pytest.raises(ConfigError, match=f"expected a cluster of Ray at {address}, got"):
        list(RayWorkers(None, 1, address).run([None]))  # type: ignore[arg-type, list-item]


DEADLY = '''
import os, signal
from attrex.errors import DataError
from attrex.jobs.task import ShardResult


class Deadly:
    """No model: its shards are files. One product kills its process, one shard its worker, once."""

    def __init__(self, folder):
        self.folder = folder

    def load(self, check):
        return self

    def run(self, number, shard, marks, report):
        once = self.folder / "once"
        if number == 1 and not once.exists():
            once.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 2 and 3 not in marks:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 4:
            raise DataError("the disk is gone")
        (self.folder / f"shard-{number}").write_text(repr(sorted(marks)))
        return ShardResult(shard.rows, len(marks), 0, 0, 0.0)

    def probe(self, shard, begin, at, bad):
        for place in range(begin, shard.rows):
            at(place)
            if place == 3:
                os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.mark.usefixtures("ray_is_there")
def test_what_dies_on_ray_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attrex.io.sharding import Shard
    from attrex.jobs.local import Piece

    (tmp_path / "deadly_for_ray.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(tmp_path)
    import deadly_for_ray

    task = deadly_for_ray.Deadly(tmp_path)
    pieces = [Piece(n, Shard(0, 0, 0, 0, 6, "")) for n in range(4)]
    events = list(RayWorkers(task, 2).run(pieces))
    assert sorted(said[0] for what, said in events if what == "finished") == [0, 1, 2, 3]
    assert [(tmp_path / f"shard-{n}").read_text() for n in range(4)] == ["[]", "[]", "[3]", "[]"]
    with pytest.raises(DataError, match="the disk is gone"):
        list(RayWorkers(task, 1).run([Piece(4, Shard(0, 0, 0, 0, 6, ""))]))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'attrex[spark]'")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("Spark needs Java: apt-get install default-jre-headless")
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.parametrize("form", ["long", "wide"])
def test_spark_finds_the_same_rows(
    spark: Any, values: Path, model_dir: Path, catalogue: Path, tmp_path: Path, form: str
) -> None:
    import pyarrow.parquet as pq

    from attrex.integrations.spark import extract

    df = spark.read.parquet(str(catalogue))
    how = {"min_confidence": 0.0, "deterministic": True, "images": catalogue.parent}
    extract(df, model_dir, form=form, **how).write.parquet(str(tmp_path / "spark"))
    folder = values
    if form == "wide":
        folder = tmp_path / "cells"
        attrex.run(model_dir, catalogue, folder, workers=0, form=form, **OPTIONS)
    here, there = (pq.read_table(sorted(f.glob("part-*"))) for f in (folder, tmp_path / "spark"))
    assert there.schema.names == here.schema.names
    key = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731
    assert sorted(there.to_pylist(), key=key) == sorted(here.to_pylist(), key=key)


def test_numbers_stay_what_they_are_in_spark(spark: Any, model_dir: Path) -> None:
    from attrex.integrations.spark import extract

    df = spark.createDataFrame([(7, "red cap"), (None, "blue hat")], "id long, title string").coalesce(1)
    found = extract(df, model_dir, form="wide", photos=False).collect()
    assert [row["id"] for row in found] == ["7", "row-2"]
    with pytest.raises(DataError, match="expected ids in the column 'id'"):
        extract(df.drop("id"), model_dir)
    with pytest.raises(ConfigError, match="form should be long or wide, got 'rows'"):
        extract(df, model_dir, form="rows")
