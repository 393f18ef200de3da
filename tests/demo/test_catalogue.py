"""The drawn catalogue: reproducible, exactly labelled, with traps that text alone cannot get round."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from itertools import islice
from random import Random

import numpy as np
import pytest
from PIL import Image

from attrex.demo.catalogue import COLORS, TRAPS, draw_catalogue, schema_names, shop_view, write_catalogue
from attrex.demo.catalogue.chinese import CHINESE
from attrex.demo.catalogue.drawing import draw_photo
from attrex.demo.catalogue.english import ENGLISH
from attrex.demo.catalogue.facts import Facts
from attrex.demo.catalogue.vocabulary import PRODUCT_TYPES
from attrex.errors import ConfigError
from attrex.types import CellState

LEXICONS = {"en": ENGLISH, "zh": CHINESE}


@pytest.fixture(scope="module")
def english():
    return list(draw_catalogue(1200, images=False))


@pytest.fixture(scope="module")
def chinese():
    return list(draw_catalogue(600, images=False, language="zh"))


def photo(drawn) -> Image.Image:
    return Image.open(io.BytesIO(drawn.product.images[0]))


# --- reproducible -----------------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_products_and_another_seed_others():
    first = list(draw_catalogue(20, seed=3, image_size=48))
    assert first == list(draw_catalogue(20, seed=3, image_size=48))
    assert first != list(draw_catalogue(20, seed=4, image_size=48))


def test_a_product_depends_on_its_number_and_not_on_how_many_are_drawn():
    many = list(draw_catalogue(12, image_size=48))
    assert list(draw_catalogue(3, start=9, image_size=48)) == many[9:]
    assert list(islice(draw_catalogue(10**9, image_size=48), 2)) == many[:2]  # a stream: the rest is never drawn


def test_size_of_photos_and_their_absence_leave_the_texts_alone():
    with_photos = list(draw_catalogue(5, image_size=48))
    without = list(draw_catalogue(5, images=False))
    assert [d.product.without_images() for d in with_photos] == [d.product for d in without]


def test_a_number_is_the_same_thing_in_both_languages():
    pairs = zip(draw_catalogue(20, image_size=48), draw_catalogue(20, image_size=48, language="zh"), strict=True)
    for en, zh in pairs:
        assert en.product.images == zh.product.images
        assert len(en.truth) == len(zh.truth)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_spans_are_the_words_of_the_true_value(english, chinese):
    for lexicon, drawn in ((ENGLISH, english), (CHINESE, chinese)):
        keys = {name: key for key, name in lexicon.attribute_names.items()}
        said = {(a, f.table): {w.lower() for w in f.adjectives + f.nouns} for (a, _), f in lexicon.forms.items()}
        for one in drawn:
            assert one.product.spans
            for span in one.product.spans:  # Product itself checks that the offsets give span.text
                assert (span.value,) == one.truth[span.attribute]
                assert span.text.lower() in said[keys[span.attribute], span.value]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_spans_are_complete(language, request):
    """Wherever a form of a true value stands in a text, there is a span over it (or it is part of the brand's name)."""
    lexicon = LEXICONS[language]
    edge = (r"(?<![\w-])", r"(?![\w-])") if language == "en" else ("", "")
    for one in request.getfixturevalue({"en": "english", "zh": "chinese"}[language]):
        for key, name in lexicon.attribute_names.items():
            if name not in one.truth:
                continue
            forms = next(f for (a, _), f in lexicon.forms.items() if a == key and f.table == one.truth[name][0])
            for word in {*forms.adjectives, *forms.nouns}:
                for field, text in one.product.fields.items():
                    for hit in re.finditer(edge[0] + re.escape(word) + edge[1], text, re.IGNORECASE):
                        assert any(
                            s.field == field
                            and s.attribute in (name, lexicon.attribute_names["brand"])
                            and s.start <= hit.start()
                            and hit.end() <= s.end
                            for s in one.product.spans
                        ), (text, word)


def test_no_slot_is_left_open_and_titles_are_tidy(english, chinese):
    for one in english + chinese:
        text = " ".join(one.product.fields.values())
        assert not set("{}") & set(text)
        assert all(field == field.strip() and field for field in one.product.fields.values())


def test_a_value_that_the_text_does_not_say_can_be_in_the_truth(english):
    unsaid = [d for d in english if "Color" not in {s.attribute for s in d.product.spans}]
    assert 0.03 < len(unsaid) / len(english) < 0.3
    assert all("Color" in d.truth for d in unsaid)


def test_chinese_has_no_spaces_and_latin_brands_keep_exact_offsets(chinese):
    assert not any(re.search(r"\s", text) for d in chinese for text in d.product.fields.values())
    brands = {s.text for d in chinese for s in d.product.spans if s.attribute == "品牌"}
    assert {"KESTRA", "黑雀"} <= brands


def test_chinese_clauses_are_about_as_long_as_published_ones(chinese):
    clauses = [c for d in chinese for c in re.split("[，。]", d.product.fields["description"]) if c]
    assert 10 < np.mean([len(c) for c in clauses]) < 12.5
    spans = [s for d in chinese for s in d.product.spans if s.field == "description"]
    assert 0.9 < len(spans) / len(clauses) < 1.3
    assert 2 < np.mean([len(s.text) for s in spans]) < 2.6


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_languages_name_every_attribute_and_every_value(language):
    forms = LEXICONS[language].forms
    for product_type in PRODUCT_TYPES:
        assert ("type", product_type.key) in forms
        assert product_type.category in LEXICONS[language].category_names
        for attribute, values in product_type.options.items():
            assert all((attribute, value) in forms for value in values)


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.6, 1.0])
def test_fill_rate_is_the_share_of_true_cells_in_the_table(rate):
    drawn = list(draw_catalogue(300, images=False, fill_rate=rate))
    filled, cells = sum(len(d.product.table) for d in drawn), sum(len(d.truth) for d in drawn)
    assert filled / cells == pytest.approx(rate, abs=0.03)
    assert all(d.truth[name] == values for d in drawn for name, values in d.product.table.items())


def test_the_shop_knows_only_its_table(english):
    product = english[0].product
    shop = shop_view(product)
    assert (shop.fields, shop.table, shop.spans) == (product.fields, product.table, None)
    assert product.cell_state("no such attribute") is CellState.ABSENT
    assert shop.cell_state("no such attribute") is CellState.BLANK


# --- traps ------------------------------------------------------------------------------------------------------------


def test_all_traps_occur(english, chinese):
    for drawn in (english, chinese):
        seen = Counter(trap for d in drawn for trap in d.traps)
        assert set(seen) == set(TRAPS)
        assert min(seen.values()) > 0.1 * len(drawn)
        assert 0.4 < seen["ambiguous_color"] / len(drawn) < 0.5


def color_pattern(lexicon):
    words = "|".join(w for (a, _), f in lexicon.forms.items() if a == "color" for w in f.adjectives)
    return re.compile(rf"\b(?:{words})\b" if lexicon is ENGLISH else words, re.IGNORECASE)


def mentions(one, lexicon):
    """The colours that a text mentions, in order, as the table writes them; those in brands left out."""
    brand = [s for s in one.product.spans if s.attribute == lexicon.attribute_names["brand"]]
    words = {w: f.table for (a, _), f in lexicon.forms.items() if a == "color" for w in f.adjectives}
    found = []
    for field, text in one.product.fields.items():
        for hit in re.finditer(color_pattern(lexicon), text):
            if not any(s.field == field and s.start <= hit.start() < s.end for s in brand):
                found.append(words[hit[0].lower()])
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_ambiguous_text_mentions_its_colours_equally_often_and_only_the_true_one_is_a_span(language):
    lexicon, color = LEXICONS[language], LEXICONS[language].attribute_names["color"]
    for one in draw_catalogue(400, images=False, language=language):
        if "ambiguous_color" in one.traps:
            counts = Counter(mentions(one, lexicon))
            assert sorted(counts) == sorted(one.colors_mentioned)
            assert len(set(counts.values())) == 1
            said = [s.value for s in one.product.spans if s.attribute == color]
            assert said == list(one.truth[color]) * counts[one.truth[color][0]]
        else:
            assert one.colors_mentioned == ()


def template_of(one, lexicon):
    """The sentence frame around the first ambiguous mention: all that is left of it when colours are masked."""
    pattern = color_pattern(lexicon)
    field = "title" if pattern.search(one.product.fields["title"]) else "description"
    sentences = re.split(r"(?<=[.?!]) ", one.product.fields[field])
    frame = next(pattern.sub("#", s) for s in sentences if pattern.search(s))
    for span in one.product.spans:  # "Tallis & Moor Scarf #/#" -> "Brand Product Type #/#"
        frame = frame.replace(span.text, span.attribute)
    return frame


def test_text_alone_cannot_tell_the_colour():
    """First, last or favourite colour, or a position learned per sentence frame: all are right by chance."""
    drawn = [d for d in draw_catalogue(2600, images=False, seed=11) if len(d.colors_mentioned) == 2]
    assert len(drawn) > 800
    chance, tolerance = 0.5, 3.5 * 0.5 / len(drawn) ** 0.5
    right = Counter()
    per_frame = {}
    for one in drawn:
        true, order = one.truth["Color"][0], mentions(one, ENGLISH)
        right["first"] += order[0] == true
        right["last"] += order[-1] == true
        right["alphabet"] += sorted(order)[0] == true
        hits = per_frame.setdefault(template_of(one, ENGLISH), [])
        hits.append(order[0] == true)
    for rule, hits in right.items():
        assert hits / len(drawn) == pytest.approx(chance, abs=tolerance), rule
    for frame, hits in per_frame.items():
        if len(hits) >= 40:
            assert np.mean(hits) == pytest.approx(chance, abs=3.5 * 0.5 / len(hits) ** 0.5), frame


def test_a_word_of_another_category_is_no_value_here(english):
    watches = [d.product for d in english if d.truth["Product Type"] == ("Watch",)]
    round_dials = [p for p in watches if "round dial" in p.fields["description"]]
    assert round_dials
    assert not any(s.attribute == "Neckline" for p in round_dials for s in p.spans)
    boot_cut = [d for d in english if re.search(r"boot-?\s?cut", d.product.fields["title"], re.I)]
    assert boot_cut
    for one in boot_cut:
        assert "category_word" in one.traps
        assert ("Product Type", "Boots") not in {(s.attribute, s.value) for s in one.product.spans}


def test_a_colour_in_a_brand_is_not_a_colour(english):
    for one in english:
        starts = {(s.field, s.start) for s in one.product.spans if s.attribute == "Brand"}
        colors = {(s.field, s.start) for s in one.product.spans if s.attribute == "Color"}
        assert not starts & colors
    assert any(s.text.lower() == "blue harbor" for d in english if "brand_color" in d.traps for s in d.product.spans)


# --- photos -----------------------------------------------------------------------------------------------------------


def dominant_color(image: Image.Image) -> str:
    """The named colour that most pixels off the background are nearest to."""
    pixels = np.asarray(image, dtype=float)
    background = np.median(np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)]), axis=0)
    product = pixels[np.linalg.norm(pixels - background, axis=-1) > 34]
    distance = np.linalg.norm(product[:, None] - np.array(list(COLORS.values()))[None], axis=-1)
    return list(COLORS)[int(np.bincount(distance.argmin(1), minlength=len(COLORS)).argmax())]


def test_the_photo_shows_the_true_colour():
    drawn = list(draw_catalogue(200, seed=5, image_size=64))
    wrong = [d.product.id for d in drawn if dominant_color(photo(d)) != d.truth["Color"][0].lower()]
    assert wrong == []


def test_photos_have_the_size_asked_for_and_differ():
    drawn = list(draw_catalogue(10, image_size=64))
    assert {(photo(d).size, photo(d).mode) for d in drawn} == {((64, 64), "RGB")}
    assert len({d.product.images for d in drawn}) == 10


@pytest.mark.parametrize("product_type", PRODUCT_TYPES, ids=lambda t: t.key)
def test_every_look_changes_the_photo(product_type):
    """Pattern, sleeves, neckline and closure can be seen: one photo per value, all else equal."""
    plain = {"type": product_type.key} | {a: values[0] for a, values in product_type.options.items()}
    for attribute in {"color", "pattern", "sleeve", "neckline", "closure", "fit"} & set(product_type.options):
        values = set(product_type.options[attribute])
        photos = {draw_photo(Facts(product_type, plain | {attribute: v}, (), {}), 64, Random(0)) for v in values}
        assert len(photos) == len(values), attribute


# --- rare attributes --------------------------------------------------------------------------------------------------


def test_extra_attributes_are_named_said_and_long_tailed():
    drawn = list(draw_catalogue(500, images=False, extra_attributes=20_000))
    names = set(schema_names(20_000))
    assert len(names) == 20_012
    assert "Spec 00017" in names
    used = Counter()
    for one in drawn:
        specs = {name for name in one.truth if name.startswith("Spec ")}
        assert 1 <= len(specs) <= 3
        assert specs <= {s.attribute for s in one.product.spans}
        assert set(one.truth) <= names
        used.update(specs)
    assert used["Spec 00001"] > 25
    assert sum(k == 1 for k in used.values()) > 100


def test_an_extra_attribute_is_said_as_key_and_value():
    one = next(d for d in draw_catalogue(500, images=False, extra_attributes=20) if "Spec 00017" in d.truth)
    span = next(s for s in one.product.spans if s.attribute == "Spec 00017")
    assert one.product.fields["description"][: span.start].endswith("Spec 17: ")
    assert re.fullmatch(r"\d+\.\d \w+", span.text)


# --- files ------------------------------------------------------------------------------------------------------------


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_write_catalogue_writes_what_was_drawn(tmp_path, language):
    folder = write_catalogue(tmp_path / "new", train=6, valid=3, test=2, language=language, image_size=48, seed=9)
    drawn = list(draw_catalogue(11, language=language, image_size=48, seed=9))
    rows = read(folder / "test.jsonl") + read(folder / "valid.jsonl") + read(folder / "train.jsonl")
    assert [r["id"] for r in rows] == [d.product.id for d in drawn]
    for row, one in zip(rows, drawn, strict=True):
        assert row["fields"] == one.product.fields
        assert row["spans"] == [s.to_json() for s in one.product.spans]
        assert row["attributes"] == {a: list(v) for a, v in one.product.table.items()}
        assert row["truth"] == {a: list(v) for a, v in one.truth.items()}
        assert set(row["traps"]) == one.traps
        assert row["complete"] is True
        assert (folder / row["image"]).read_bytes() == one.product.images[0]
    assert len({r["group"] for r in rows}) == len(rows)


def test_catalog_is_the_training_products_as_the_shop_has_them(tmp_path):
    write_catalogue(tmp_path, train=4, valid=1, test=1, image_size=48)
    catalog, train = read(tmp_path / "catalog.jsonl"), read(tmp_path / "train.jsonl")
    assert [r["id"] for r in catalog] == [r["id"] for r in train]
    assert [r["attributes"] for r in catalog] == [r["attributes"] for r in train]
    assert set(catalog[0]) == {"id", "fields", "image", "category", "attributes", "group"}


def test_a_larger_training_set_keeps_the_test_set(tmp_path):
    small = write_catalogue(tmp_path / "small", train=2, valid=2, test=3, images=False)
    large = write_catalogue(tmp_path / "large", train=9, valid=2, test=3, images=False)
    assert read(small / "test.jsonl") == read(large / "test.jsonl")
    assert read(small / "train.jsonl") == read(large / "train.jsonl")[:2]
    assert read(small / "train.jsonl")[0]["image"] is None


# --- options that make no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "zhh"}, r"made in 'en' or 'zh', not in 'zhh'; did you mean 'zh'\?"),
        ({"image_size": 8}, r"at least 32, got 8; for no photos say images=False"),
        ({"fill_rate": 60}, r"share of table cells that are filled, 0 to 1, got 60"),
        ({"extra_attributes": -1}, r"extra_attributes should be 0 or more, got -1"),
        ({"start": -2}, r"start should be 0 or more, got -2"),
    ],
)
def test_options_are_checked_before_the_first_product(options, message):
    with pytest.raises(ConfigError, match=message):
        draw_catalogue(1, **options)


def test_numbers_of_products_and_attributes_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="count should be 0 or more, got -1"):
        draw_catalogue(-1)
    with pytest.raises(ConfigError, match="valid should be 0 or more, got -5"):
        write_catalogue(tmp_path / "none", train=1, valid=-5, test=1)
    assert not (tmp_path / "none").exists()
    with pytest.raises(ConfigError, match="extra_attributes should be 0 or more, got -3"):
        schema_names(-3)
