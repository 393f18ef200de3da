"""Finds are kept by what they hang on: content and model; never by id or place, and never in place of a warning."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from attrex.inference.checkpoint import Model
from attrex.inference.extractor import Extractor
from attrex.inference.finds_cache import FINDS_FILE, FindsCache
from attrex.io.content import model_hash
from attrex.types import Prediction, Product, RegionWeights, Span, Value, WordWeight


@pytest.fixture(scope="module")
def directory(choosing: Callable[..., Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return choosing().save(tmp_path_factory.mktemp("cached") / "model")


def load(directory: Path, cache: Path | None) -> Extractor:
    return Extractor.load(directory, device="cpu", precision="fp32", cache_dir=cache)


def read(extractor: Extractor) -> int:
    """How many products an extractor has read itself."""
    return extractor.count.products


def test_a_second_run_reads_what_has_changed_and_finds_the_same(
    directory: Path, products: list[Product], tmp_path: Path
) -> None:
    before = products[:12]
    list(load(directory, tmp_path).extract(before))
    named_anew = [replace(p, id=f"new-{p.id}", table={}, spans=None) for p in before]  # no find hangs on these
    now = [*named_anew[:5], replace(named_anew[5], fields={"title": "red wool"}), *named_anew[6:]]
    again = load(directory, tmp_path)
    found = list(again.extract(now))
    assert [p.id for p in found] == [p.id for p in now]
    assert (read(again), again.finds and again.finds.hits) == (1, 11)
    assert found[0].values
    expected = list(load(directory, None).extract(now))
    assert [p.to_json() for p in found] == [p.to_json() for p in expected]


@pytest.mark.parametrize(
    "options",
    [{"photos": False}, {"evidence": False}, {"threshold": 0.3}, {"min_confidence": 0.4}, {"attributes": ["Color"]}],
)
def test_other_options_give_other_finds(
    directory: Path, products: list[Product], tmp_path: Path, options: dict[str, object]
) -> None:
    list(load(directory, tmp_path).extract(products[:2]))
    other = load(directory, tmp_path)
    list(other.extract(products[:2], **options))  # type: ignore[arg-type]
    assert read(other) == 2


def test_a_photo_counts_by_its_content(directory: Path, products: list[Product], tmp_path: Path) -> None:
    one, two = (next(bytes(i) for i in p.images if isinstance(i, bytes)) for p in products[:2])
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(one)
    product = replace(products[0], images=(photo,))
    counts = []
    moved = tmp_path / "moved.jpg"
    for change in (lambda: None, lambda: moved.write_bytes(one), lambda: photo.write_bytes(two)):
        change()
        for images in ((photo,), (moved,)) if moved.exists() else ((photo,),):
            extractor = load(directory, tmp_path / "cache")
            list(extractor.extract([replace(product, images=images)]))
            counts.append(read(extractor))
    assert counts == [1, 0, 0, 1, 0]  # new; the same, moved or not; other content; moved as before


def test_what_is_marked_is_told_anew(directory: Path, products: list[Product], tmp_path: Path) -> None:
    odd = [
        replace(products[0], images=(tmp_path / "none.jpg",)),
        replace(products[1], images=(b"no photo",)),
        replace(products[2], warnings=("odd",)),
        Product("bad", {}, error="line 4"),
    ]
    for _ in range(2):
        extractor = load(directory, tmp_path / "cache")
        found = list(extractor.extract(odd))
        assert read(extractor) == 4
        assert [bool(p.warnings) for p in found] == [True, True, True, False]
        assert found[3].error == "line 4"


def test_alike_products_are_read_once(directory: Path, products: list[Product], tmp_path: Path) -> None:
    extractor = load(directory, tmp_path)
    found = list(extractor.extract([products[0], products[1], replace(products[0], id="twin")]))
    assert read(extractor) == 2
    assert found[2] == replace(found[0], id="twin")


def test_a_model_counts_by_its_content(choosing: Callable[..., Model], tmp_path: Path) -> None:
    model = choosing()
    first, same = (model_hash(model.save(tmp_path / name)) for name in ("a", "b"))
    model.metrics = {"f1": 0.5}
    judged = model_hash(model.save(tmp_path / "judged"))
    model.thresholds = {"range": 0.9}
    stricter = model_hash(model.save(tmp_path / "stricter"))
    assert first == same == judged != stricter


def test_a_model_that_is_changed_in_memory_is_not_cached(
    directory: Path, products: list[Product], tmp_path: Path
) -> None:
    extractor = load(directory, tmp_path)
    assert extractor.model.calibration is not None
    extractor.use_calibration(extractor.model.calibration)
    list(extractor.extract(products[:1]))
    list(Extractor(extractor.model, device="cpu", cache_dir=tmp_path).extract(products[:1]))
    assert not (tmp_path / FINDS_FILE).exists()


WHOLE = Prediction(
    "a",
    (
        Value("Color", "Red", 1 / 3, Span("Color", 0, 3, "red"), (RegionWeights(0, ((1 / 7, 1.0),)),), "both"),
        Value("Fit", "Slim", 0.1 + 0.2, decided_by="photo", words=(WordWeight("title", 0, 3, "red", 1 / 9),)),
    ),
    {"Color": 2 / 3},
    coverage=1 / 11,
)


def test_every_digit_is_kept(tmp_path: Path) -> None:
    FindsCache(tmp_path).put({b"k": WHOLE})
    assert FindsCache(tmp_path).get([b"k", b"other"]) == {b"k": replace(WHOLE, id="")}


def test_the_longest_unused_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("attrex.inference.finds_cache.time", lambda: clock)
    names = [number.to_bytes(2, "big") for number in range(120)]
    FindsCache(tmp_path).put(dict.fromkeys(names[:100], WHOLE))
    clock = 2 * 86_400
    FindsCache(tmp_path).get(names[:10])  # used again
    FindsCache(tmp_path, most_bytes=(tmp_path / FINDS_FILE).stat().st_size).put(dict.fromkeys(names[100:], WHOLE))
    kept = FindsCache(tmp_path).get(names)
    assert list(kept) == names[:10] + names[41:]  # a quarter of 120 and one are gone


def test_what_is_damaged_is_read_again(directory: Path, products: list[Product], tmp_path: Path) -> None:
    list(load(directory, tmp_path).extract(products[:2]))
    with sqlite3.connect(tmp_path / FINDS_FILE) as finds:
        finds.execute("UPDATE finds SET found = ?", (b"half a fi",))
    finds.close()
    extractor = load(directory, tmp_path)
    expected = [p.to_json() for p in load(directory, None).extract(products[:2])]
    assert [p.to_json() for p in extractor.extract(products[:2])] == expected
    assert read(extractor) == 2
    (tmp_path / FINDS_FILE).write_bytes(b"no table" * 1000)
    extractor = load(directory, tmp_path)
    with pytest.warns(UserWarning, match=r"finds cannot be kept in .*finds\.sqlite: .*; going on without"):
        assert [p.to_json() for p in extractor.extract(products[:2])] == expected


def _put(place: tuple[Path, int]) -> None:
    directory, first = place
    for number in range(first, first + 20):
        FindsCache(directory).put({number.to_bytes(2, "big"): WHOLE})


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_put, [(tmp_path, 0), (tmp_path, 20)]))
    assert len(FindsCache(tmp_path).get([n.to_bytes(2, "big") for n in range(40)])) == 40


def test_an_interrupted_run_keeps_what_it_has_found(directory: Path, products: list[Product], tmp_path: Path) -> None:
    stream = load(directory, tmp_path).extract(products[:6], batch_size=2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    with sqlite3.connect(tmp_path / FINDS_FILE) as finds:
        assert finds.execute("SELECT count(*) FROM finds").fetchone()[0] == 1
    finds.close()


def test_the_command_says_what_was_not_read_again(directory: Path, products: list[Product], tmp_path: Path) -> None:
    from attrex import pipeline

    said: list[str] = []
    for name in ("one", "two"):
        pipeline.extract(
            directory,
            products[:3],
            tmp_path / f"{name}.jsonl",
            cache=tmp_path / "cache",
            precision="fp32",
            progress=lambda event: said.append(event.message) if event.message else None,
        )
    assert said == ["3 products are as they were in an earlier run: not read again"]
    one, two = ((tmp_path / f"{name}.jsonl").read_text(encoding="utf-8") for name in ("one", "two"))
    assert one == two
    assert json.loads(one.splitlines()[0])["values"]
