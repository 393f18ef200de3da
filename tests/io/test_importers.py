from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from attrex.errors import DataError
from attrex.io.importers import ImportReport, layout_of, read_mae, read_mepave
from attrex.io.readers import read_products
from attrex.shop.mapping import ColumnMapping
from attrex.shop.shop import Shop
from attrex.types import Product, Span

# --- MEPAVE --------------------------------------------------------------------------------------------------------

LINES = [
    "c_11\ts_1\tV领红色连衣裙\t<领型>V领</领型><颜色>红色</颜色>连衣裙",
    "c_11\ts_2\t好看\t好看",
    "c_12\ts_3\t红 色\t<颜色>红 色</颜色>",
    "c_12\ts_4\t红色\t<颜色>红色</领型>",
    "c_12\ts_5\t红色\t<颜色>红</颜色>",
    "c_12\ts_6\t红色",
]


def mepave(folder: Path, name: str = "jdair.jave.train.txt", lines: list[str] = LINES) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


def test_mepave_lines_become_lower_cased_products_with_spans_per_character(tmp_path):
    first, second = read_mepave(mepave(tmp_path))
    assert first == Product(
        id="s_1",
        fields={"text": "v领红色连衣裙"},
        spans=(Span("领型", 0, 2, "v领"), Span("颜色", 2, 4, "红色")),  # adjacent values
        complete=True,
        group="c_11",
    )
    assert second.spans == ()  # a sentence without values is a product too
    assert next(read_mepave(tmp_path, lower=False)).fields["text"] == "V领红色连衣裙"


def test_mepave_counts_the_lines_it_leaves_out(tmp_path, caplog):
    report = ImportReport()
    (mepave(tmp_path) / "jdair.jave.train.txt").open("ab").write(b"c_1\ts_7\t\xff\t\xff\n")
    with caplog.at_level(logging.WARNING):
        assert len(list(read_mepave(tmp_path, report=report))) == 2
    assert report.read == 2
    assert report.dropped == {
        "a space in the sentence": ["jdair.jave.train.txt:3"],
        "malformed tags": ["jdair.jave.train.txt:4"],
        "a tagged sentence that differs": ["jdair.jave.train.txt:5"],
        "other than four columns": ["jdair.jave.train.txt:6"],
        "bytes that are not UTF-8": ["jdair.jave.train.txt:7"],
    }
    assert "MEPAVE jdair.jave.train.txt: read 2 products, left out 5: 1 with a space" in caplog.text
    assert "1 with malformed tags (jdair.jave.train.txt:4)" in caplog.text


def test_mepave_keeps_sentences_with_spaces_when_asked(tmp_path):
    products = list(read_mepave(mepave(tmp_path), keep_spaces=True))
    assert products[2].spans == (Span("颜色", 0, 3, "红 色"),)


@pytest.mark.parametrize(
    "tagged", ["<颜色>红色", "红色</颜色>", "<颜色><领型>红</领型>色</颜色>", "<颜色></颜色>红色", "红>色"]
)
def test_mepave_malformed_tags(tmp_path, tagged):
    report = ImportReport()
    assert list(read_mepave(mepave(tmp_path, lines=[f"c_1\ts_1\t红色\t{tagged}"]), report=report)) == []
    assert list(report.dropped) == ["malformed tags"]


@pytest.mark.parametrize(
    "name", ["jdair.jave.valid.txt", "jdai.jave.fashion.valid", "jdai.jave.fashion.valid.sample", "jdai.jave.valid.txt"]
)
def test_mepave_under_each_of_its_names(tmp_path, name):
    mepave(tmp_path, name)
    mepave(tmp_path, name.replace("valid", "test"), LINES[:1])
    assert [p.id for p in read_products(tmp_path, split="val")] == ["s_1", "s_2"]
    assert [p.id for p in read_products(tmp_path / name)] == ["s_1", "s_2"]
    assert [p.id for p in read_products(tmp_path, split="test")] == ["s_1"]


def test_mepave_photos_are_those_of_the_product(tmp_path):
    photos = mepave(tmp_path, lines=[LINES[0], LINES[1].replace("c_11", "c_99")]) / "product_images"
    photos.mkdir()
    (photos / "11.jpg").write_bytes(b"x")
    first, second = read_products(tmp_path)
    assert first.images == (photos / "11.jpg",)
    assert second.images == ()
    assert second.warnings == (f"photo 99.jpg is not in .../{photos.parent.name}/product_images; goes on without it",)
    elsewhere = mepave(tmp_path / "texts")
    assert next(read_mepave(elsewhere, images=photos)).images == (photos / "11.jpg",)


def test_mepave_wrong_directories_and_splits(tmp_path):
    with pytest.raises(DataError, match=r"expected MEPAVE files jdair.jave.\{train,valid,test\}.txt, found none"):
        read_mepave(tmp_path)
    with pytest.raises(DataError, match="expected a MEPAVE file or its directory, found nothing there"):
        read_mepave(tmp_path / "gone")
    (tmp_path / "other.txt").write_text("a\tb\n")
    with pytest.raises(DataError, match=r"expected MEPAVE's four tab-separated columns .* got 2 in the first line"):
        read_mepave(tmp_path / "other.txt")
    with pytest.raises(DataError, match=r"expected one of the splits \['train'\], got 'trian'; did you mean 'train'\?"):
        read_mepave(mepave(tmp_path), "trian")


# --- MAE -----------------------------------------------------------------------------------------------------------

KETTLE = {
    "diffbotUri": "product|4|1",
    "title": "Acme Kettle",
    "text": "A steel kettle.\nHolds 2 litres.",
    "clean_title": "acme kettle",
    "clean_text": "a steel kettle .",
    "images": ["1.jpg", "2.jpg"],
    "specs": {"material": "steel", "color": "n/a"},
    "category": "kitchen",
}


def mae(root: Path, **splits: list) -> Path:
    for split, items in splits.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        (root / split / "part-000.json").write_text(json.dumps(items), encoding="utf-8")
    return root


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize("place", ["mae/mumie-img", "mae/images", "images"])
def test_mae_product(tmp_path, place):
    root = mae(tmp_path / "mae", train=[KETTLE])
    there = photo(tmp_path / place / "2.jpg")
    (product,) = read_mae(root, "train")
    (warning,) = product.warnings
    assert product == Product(
        id="product|4|1",
        fields={"title": "Acme Kettle", "description": "A steel kettle.\nHolds 2 litres."},
        images=(there,),
        category="kitchen",
        table={"material": ("steel",)},
        warnings=(warning,),
    )
    assert warning.startswith("photo 1.jpg is not in ")
    assert warning.endswith("; the product goes on without it")


def test_mae_specs_may_be_pairs_and_texts_may_be_missing(tmp_path):
    item = {"diffbotUri": "x", "title": "Acme", "text": None, "specs": [["color", "red"], ["wireless", "no"]]}
    (product,) = read_mae(mae(tmp_path, val=[item]))
    assert product == Product("x", {"title": "Acme"}, table={"color": ("red",), "wireless": ("no",)})


def test_mae_by_split_folder_and_file(tmp_path):
    root = mae(tmp_path / "mae", train=[KETTLE], val=[KETTLE | {"diffbotUri": "v"}])
    photo(root / "images" / "1.jpg")
    assert layout_of(root) == layout_of(root / "val") == layout_of(root / "val" / "part-000.json") == "MAE"
    for source, split in ((root, "valid"), (root / "val", None), (root / "val" / "part-000.json", None)):
        (product,) = read_products(source, split=split)
        assert product.id == "v"
        assert product.images == (root / "images" / "1.jpg",)
    with pytest.raises(DataError, match=r"expected one of the splits \['train', 'val'\], none was named; name one"):
        read_products(root)


def test_mae_broken_files_and_items_are_marked_and_the_rest_goes_on(tmp_path):
    mae(tmp_path, train=[KETTLE, "oops", {"title": "no id", "specs": "?"}])
    (tmp_path / "train" / "part-001.json").write_text('[{"diffbotUri": ', encoding="utf-8")
    (tmp_path / "train" / "part-002.json").write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "train" / "part-003.json").write_text(json.dumps([KETTLE | {"diffbotUri": "z"}]), encoding="utf-8")
    good, text, no_id, broken, not_a_list, last = read_products(tmp_path, split="train")
    assert (good.error, last.id, last.error) == (None, "z", None)
    assert text.error.startswith("train/part-000.json item 2: expected an object with named columns, got text 'oops'")
    assert no_id.id == "row-3"
    assert "train/part-000.json item 3: no id in column 'diffbotUri'" in no_id.warnings[0]
    assert "column 'specs': expected an object or pairs, got text '?'; left out" in no_id.warnings[1]
    assert broken.error.startswith("train/part-001.json: expected a JSON list of products, got broken JSON (")
    assert not_a_list.error == (
        "train/part-002.json: expected a JSON list of products, got an object; put the products into one list"
    )


def test_mae_wrong_layouts(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="expected MAE's layout, train/ and val/ with files that hold JSON lists"):
        read_mae(tmp_path)
    mae(tmp_path, train=[KETTLE])
    with pytest.raises(DataError, match=r"gone: expected the directory of MAE's photos, found none; check the path"):
        read_mae(tmp_path, images=tmp_path / "gone")
    with pytest.raises(DataError, match="expected a file or directory of the MAE release, found nothing there"):
        read_mae(tmp_path / "gone")


def test_a_mapping_makes_no_sense_for_a_known_layout_but_is_used_for_one_file(tmp_path):
    mae(tmp_path, train=[KETTLE])
    mapping = ColumnMapping(id="diffbotUri", texts=("clean_title",), attributes=(), images=())
    with pytest.raises(DataError, match="expected no columns of the shop's own for a directory in MAE layout"):
        read_products(tmp_path, shop=Shop(mapping))
    (product,) = read_products(tmp_path / "train" / "part-000.json", shop=Shop(mapping))
    assert product == Product("product|4|1", {"clean_title": "acme kettle"}, category="kitchen")


def test_other_files_have_no_such_layout(tmp_path):
    (tmp_path / "a.json").write_text('[{"id": 1, "text": "a"}]')
    (tmp_path / "b.jsonl.gz").write_bytes(b"not packed")
    assert layout_of(tmp_path) is layout_of(tmp_path / "a.json") is layout_of(tmp_path / "b.jsonl.gz") is None
    assert layout_of(tmp_path / "gone") is None
