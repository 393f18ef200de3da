from __future__ import annotations

import pickle
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from attrex.config import Config
from attrex.encoding.encoder import EncodedProduct, ProductEncoder, Window
from attrex.encoding.targets import Labels, TargetEncoder
from attrex.encoding.units import Unit
from attrex.errors import ConfigError
from attrex.labels.mentions import UnlabelledMentions
from attrex.labels.pseudo_labels import Teacher
from attrex.model.tags import flat_spans_from_tags, spans_from_tags
from attrex.shop.schema import Attribute, Schema
from attrex.types import UNKNOWN, CellState, Prediction, Product, Span, Value

BLANK, ABSENT, LOCATED, NOT_LOCATED = map(int, CellState)
WORDS = ["red", "blue", "cotton", "shirt", "with", "stripes", "leather", "shoes", "hazzys", "striped"]
SCHEMA = Schema(tuple(map(Attribute, ("brand", "color", "material"))))
BRAND, COLOR, MATERIAL = range(3)

# What texts are made of: English, Chinese, emoji of several code points, combining marks, line ends, controls, spaces.
BITS = [
    *WORDS,
    *"abéß19%-,.(▁Ġ½㎏İﬁ",
    *("[SEP]", "<s>", "</s>", "한국", "纯棉", "衬衫", "红色", "हिन्दी"),
    *("👨‍👩‍👧", "👍🏽", "❤️", "🇩🇪", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f", "e\u0301", "\u0301", "\u200d", "\ufe0f"),
    *("ho\u0302\u0300ng", "\u1112\u1161\u11ab", "น้ำ", "\u30cf\u3099", "\u0958", "\u1161"),
    *(" ", "  ", "\u3000", "\u00a0", "\r\n", "\n", "\t", "\x00", "\x07", "\u200b", "\ufffd", "\ud83d", "x" * 130),
]
texts = st.one_of(st.lists(st.sampled_from(BITS)).map("".join), st.text(max_size=40))


@cache
def bert() -> Any:
    """Word pieces, uncased: frequent words whole, everything else in single characters."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-.,%()<>/[]纯棉衬衫红色"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = dict.fromkeys([*special, *letters, *(f"##{c}" for c in letters), *WORDS[:8]])
    return BertTokenizerFast(vocab={name: i for i, name in enumerate(names)})


@cache
def byte_level() -> Any:
    """As RoBERTa's: merges of bytes, so that a character may be several pieces."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        [" ".join(WORDS)] * 2,
        trainers.BpeTrainer(
            vocab_size=350, special_tokens=list(ROBERTA.values()), initial_alphabet=alphabet, show_progress=False
        ),
    )
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, **ROBERTA)


@cache
def sentence_piece() -> Any:
    """As XLM-R's: a Unigram model over text whose spaces became letters."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=list(ROBERTA.values()), unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS), "纯棉 衬衫 红色"] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **ROBERTA)


ROBERTA = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
TOKENIZERS = {"bert": bert, "byte_level": byte_level, "sentence_piece": sentence_piece}


def encoder(tokenizer: Any = None, *overrides: str, preset: str = "small") -> ProductEncoder:
    config = Config.load(preset, ["text.max_tokens=64", "text.overlap=16", *overrides])
    return ProductEncoder(tokenizer or bert(), config, SCHEMA)


@dataclass
class LabelledWindow(Window):
    """A window with what training learns from it."""

    labels: Labels | None = None


def labelled(own: ProductEncoder, gold: Product, targets: TargetEncoder | None = None) -> EncodedProduct:
    """A product's windows with their labels."""
    encoded = own.encode(gold)
    labels = (targets or TargetEncoder(own.schema)).encode(gold, encoded)
    windows = [
        LabelledWindow(w.ids, w.units, w.unit_index, w.owned, w.first, x)
        for w, x in zip(encoded.windows, labels, strict=True)
    ]
    return replace(encoded, windows=windows)


def product(*texts: str, spans: list[Span] | None = None, **more: Any) -> Product:
    fields = dict(zip(("title", "description", "bullets"), texts, strict=False))
    return Product("p", fields, spans=None if spans is None else tuple(spans), **more)


def span(attribute: str, text: str, said: str, field: str = "title", nth: int = 0) -> Span:
    start = -1
    for _ in range(nth + 1):
        start = text.index(said, start + 1)
    return Span(attribute, start, start + len(said), said, field)


def units_of(encoded: EncodedProduct) -> list[Unit]:
    """All units, each taken from the window that owns it."""
    return [u for w in encoded.windows for u in w.units[slice(*w.owned)]]


def said(encoded: EncodedProduct, *texts: str) -> list[str]:
    return [texts[u.field][u.start : u.end] for u in units_of(encoded)]


def read(text: str, *overrides: str, tokenizer: Any = None) -> list[str]:
    """What the units of a text stand for."""
    return said(encoder(tokenizer, *overrides).encode(product(text)), text)


# ---- offsets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red cotton-shirt, 100%", ["Red", "cotton", "-", "shirt", ",", "100", "%"]),
        ("纯棉衬衫 red", ["纯", "棉", "衬", "衫", "red"]),
        ("red\r\n  shirt\n", ["red", "shirt"]),
        ("👨‍👩‍👧 red ❤️ 👍🏽", ["👨‍👩‍👧", "red", "❤️", "👍🏽"]),
        ("cafe\u0301 1️⃣", ["cafe\u0301", "1️⃣"]),
        ("", []),
        (" \u3000\t\r\n", []),
    ],
)
def test_words_of_bert(text: str, expected: list[str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("✔red ■blue", ["✔", "red", "■", "blue"]),
        ("→red→blue→", ["→", "red", "→", "blue", "→"]),
        ("red™ Hazzys® 10×15", ["red", "™", "Hazzys", "®", "10", "×", "15"]),
        ("🔥red🔥🔥 1️⃣blue", ["🔥", "red", "🔥🔥", "1️⃣", "blue"]),
        ("👩‍🚀red❤️", ["👩‍🚀", "red", "❤️"]),
        ("€50", ["€", "50"]),
        ("\uf0b7red", ["red"]),  # an icon of a font; BERT does not read it
        ("r\u200bed \u202ered\u202c \x1b[31mred\x1b[0m", ["r\u200bed", "red", "red"]),
        ("ｒｅｄ 𝐫𝐞𝐝", ["ｒｅｄ", "𝐫𝐞𝐝"]),
        ("เสื้อผ้าฝ้าย red", ["เสื้", "อ", "ผ้า", "ฝ้า", "ย", "red"]),
        ("ຜ້າຝ້າຍ", ["ຜ້າ", "ຝ້າ", "ຍ"]),
        ("អាវខៀវ", ["អា", "វ", "ខៀ", "វ"]),
        ("綿のシャツ", ["綿", "の", "シャ", "ツ"]),
    ],
)
def test_a_word_ends_beside_a_symbol_and_where_a_script_without_spaces_can_be_parted(
    text: str, expected: list[str]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hard DriveIn stock", ["Hard", "Drive", "In", "stock"]),
        ("SATAPart, 086INNER", ["SATA", "Part", ",", "086", "INNER"]),
        ("29-1/2h x M8", ["29", "-", "1", "/", "2", "h", "x", "M", "8"]),
        ("iPhone HDTVs T-shirt", ["iPhone", "HDTVs", "T", "-", "shirt"]),  # one small letter parts nothing
        ("ÉtéSoleil™Red", ["Été", "Soleil", "™", "Red"]),
        ("r\u200bed12", ["r\u200bed", "12"]),
        ("", []),
    ],
)
def test_words_that_are_glued_together_are_parted_where_that_is_asked_for(text: str, expected: list[str]) -> None:
    assert read(text, "text.split_words=true") == expected


def test_pieces_are_not_parted_any_further() -> None:
    assert read("redShirt", "text.units=piece", "text.split_words=true") == read("redShirt", "text.units=piece")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("✔red", "✔ red"),
        ("①red² cotton¹ 5 m²", "① red² cotton ¹ 5 m²"),
        ("red™ shirt", "red ™ shirt"),
        ("r\u200be\x00d", "red"),
        ("\x1b[1mred\x1b[0m", "red"),
        ("ｒｅｄ 𝗿𝗲𝗱", "red red"),
    ],
)
@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
def test_a_word_is_read_alike_whatever_is_glued_to_it(text: str, plain: str, tokenizer: str) -> None:
    own = encoder(TOKENIZERS[tokenizer]())
    read_ids, plain_ids = ([w.ids for w in own.encode(product(t)).windows] for t in (text, plain))
    assert read_ids == plain_ids


@pytest.mark.parametrize("units", ["word", "piece", "char"])
@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
def test_letters_in_parts_are_read_as_the_whole_ones(tokenizer: str, units: str) -> None:
    if (tokenizer, units) == ("byte_level", "char"):
        return
    own = cached_encoder(tokenizer, units)
    whole, parts = "hồng 한국 é", "ho\u0302\u0300ng \u1112\u1161\u11ab\u1100\u116e\u11a8 e\u0301"
    read_whole, read_parts = own.encode(product(whole)), own.encode(product(parts))
    assert [w.ids for w in read_whole.windows] == [w.ids for w in read_parts.windows]
    assert [unicodedata.normalize("NFC", s) for s in said(read_parts, parts)] == said(read_whole, whole)


def test_pieces_of_bert() -> None:
    assert read("striped red", "text.units=piece") == [*"striped", "red"]


@pytest.mark.parametrize("tokenizer", ["byte_level", "sentence_piece"])
def test_tokenizers_that_do_not_split_into_words_are_read_by_piece_without_the_space_before_it(tokenizer: str) -> None:
    assert encoder(TOKENIZERS[tokenizer]()).units.kind == "piece"
    pieces = read("red  cotton", tokenizer=TOKENIZERS[tokenizer]())
    assert "".join(pieces) == "redcotton"
    assert all(p.strip() == p for p in pieces)


@pytest.mark.parametrize("units", ["piece", "word"])
def test_bytes_of_one_character_are_one_unit(units: str) -> None:
    (window,) = encoder(byte_level(), f"text.units={units}").encode(product("红 👨‍👩‍👧 ❤️ e\u0301")).windows
    assert [u.end - u.start for u in window.units] == [1, 5, 2, 2]
    assert len(window.units[0].ids) == 3  # its bytes are all read
    assert window.unit_index == [1, 4, 4 + len(window.units[1].ids), 4 + sum(len(u.ids) for u in window.units[1:3])]


@pytest.mark.parametrize("tokenizer", ["byte_level", "sentence_piece"])
def test_words_of_other_tokenizers(tokenizer: str) -> None:
    assert read(" red  cotton", "text.units=word", tokenizer=TOKENIZERS[tokenizer]()) == ["red", "cotton"]


@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
def test_a_text_that_says_a_special_token_means_no_such_token(tokenizer: str) -> None:
    own = TOKENIZERS[tokenizer]()
    text = f"red {own.sep_token} {own.pad_token}{own.cls_token} shirt"
    encoded = encoder(own).encode(product(text))
    (window,) = encoded.windows
    assert "".join(said(encoded, text)) == text.replace(" ", "")
    assert not {own.sep_token_id, own.pad_token_id, own.cls_token_id} & set(window.ids[1:-1])
    assert window.ids[0] == own.cls_token_id
    assert window.ids[-1] == own.sep_token_id


@pytest.mark.parametrize(
    ("tokenizer", "word"),
    [
        *((name, word) for name in TOKENIZERS for word in ("red", "纯棉衬衫")),
        *((name, "red cotton shirt") for name in ("bert", "byte_level")),  # the third reads some spaces as tokens
    ],
)
def test_token_ids_are_decoded_to_the_words_that_they_stand_for(tokenizer: str, word: str) -> None:
    encoding = encoder(TOKENIZERS[tokenizer]())
    for text in (word, f"red {word}"):
        units = [u for u in units_of(encoding.encode(product(text))) if u.start >= len(text) - len(word)]
        assert encoding.units.decode([i for unit in units for i in unit.ids]) == word


def test_characters_are_decoded_without_spaces() -> None:
    encoding = encoder(None, "text.units=char")
    units = units_of(encoding.encode(product("纯棉 red")))
    assert encoding.units.decode([i for unit in units for i in unit.ids]) == "纯棉red"


def test_lone_surrogates_do_not_crash() -> None:
    assert read("red \ud83d shirt") == ["red", "shirt"]
    assert read("red \ud83d shirt", "text.units=char") == list("red\ud83dshirt")


@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
@pytest.mark.parametrize("units", ["word", "piece", "char"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(title=texts, description=texts)
def test_units_of_any_text_are_ordered_apart_and_begin_and_end_with_a_character(
    tokenizer: str, units: str, title: str, description: str
) -> None:
    if (tokenizer, units) == ("byte_level", "char"):
        return
    encoded = cached_encoder(tokenizer, units).encode(product(title, description))
    before = (0, 0)
    for unit in units_of(encoded):
        text = (title, description)[unit.field]
        assert before <= (unit.field, unit.start)
        assert 0 <= unit.start < unit.end <= len(text)
        assert text[unit.start : unit.end].strip() == text[unit.start : unit.end]
        assert unit.ids
        before = (unit.field, unit.end)
    assert 0 <= encoded.coverage <= 1
    assert bool(encoded.warnings) == (not encoded.windows)


@cache
def cached_encoder(tokenizer: str, units: str) -> ProductEncoder:
    return encoder(TOKENIZERS[tokenizer](), f"text.units={units}", "text.max_tokens=16", "text.overlap=4")


@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
@given(marks=st.integers(0, 300))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_a_letter_under_a_pile_of_marks_is_one_unit_that_fits(tokenizer: str, marks: int) -> None:
    text = "a" + "\u0301" * marks + " red"
    own = cached_encoder(tokenizer, "piece")
    encoded = own.encode(product(text))
    assert units_of(encoded)[0].end == 1 + marks
    assert all(len(u.ids) <= own.room for u in units_of(encoded))


# ---- coverage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Red cotton shirt, 100 %", "纯棉 衬衫", "👨‍👩‍👧 ❤️ e\u0301", "a\r\nb", "", "  ", "x" * 10_000]
)
@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
def test_texts_are_read_whole(text: str, tokenizer: str) -> None:
    assert encoder(TOKENIZERS[tokenizer]()).encode(product(text)).coverage == 1.0


def test_what_the_tokenizer_does_not_read_lowers_the_coverage() -> None:
    assert encoder().encode(product("red \ufffd", "ok")).coverage == pytest.approx(5 / 6)
    assert encoder().encode(product("\ufffd\ufffd")).coverage == 0.0


def test_what_nobody_sees_is_not_missed() -> None:
    assert encoder().encode(product("\u200bred \x07", "o\u00adk")).coverage == 1.0


def test_a_product_without_readable_text_has_no_window_and_says_so() -> None:
    for texts_ in ((), ("",), (" ", "\n")):
        encoded = labelled(encoder(), product(*texts_))
        assert (encoded.windows, encoded.coverage) == ([], 1.0)
        assert encoded.warnings == ["no text that the tokenizer can read"]


# ---- characters as units -------------------------------------------------------------------------------------------


def test_each_character_has_one_id_latin_too() -> None:
    text = "Hazzys 纯棉T"
    (window,) = encoder(None, "text.units=char").encode(product(text)).windows
    names = bert().convert_ids_to_tokens(window.ids)
    assert names == ["[CLS]", *"hazzys纯棉t", "[SEP]"]
    assert [text[u.start : u.end] for u in window.units] == list("Hazzys纯棉T")
    assert window.unit_index == list(range(1, 10))


def test_a_character_that_the_vocabulary_lacks_is_unknown_but_keeps_its_place() -> None:
    (window,) = encoder(None, "text.units=char").encode(product("红鞋")).windows
    assert bert().convert_ids_to_tokens(window.ids) == ["[CLS]", "红", "[UNK]", "[SEP]"]


# ---- fields --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", list(TOKENIZERS))
def test_fields_have_their_own_offsets_and_a_separator_between(tokenizer: str) -> None:
    own = TOKENIZERS[tokenizer]()
    texts_ = ("red shirt", "", "blue cotton")
    encoded = encoder(own).encode(product(*texts_))
    (window,) = encoded.windows
    assert encoded.fields == ["title", "description", "bullets"]
    assert "".join(said(encoded, *texts_)) == "redshirtbluecotton"
    assert window.ids.count(own.sep_token_id) == 2  # an empty field has none
    last_of_title = max(i for i, u in enumerate(window.units) if u.field == 0)
    assert window.ids[window.unit_index[last_of_title + 1] - 1] == own.sep_token_id


def test_the_same_offsets_in_two_fields_are_two_places() -> None:
    gold = product("red shirt", "red shirt", spans=[Span("color", 0, 3, "red", "description")])
    (window,) = labelled(encoder(), gold).windows
    assert window.labels.pairs == {COLOR: [0, 0, 1, 0]}


# ---- windows -------------------------------------------------------------------------------------------------------


def test_neighbouring_windows_overlap_and_each_owns_the_half_that_it_sees_better() -> None:
    text = " ".join(["red", "blue"] * 12)
    encoded = encoder(None, "text.max_tokens=12", "text.overlap=4").encode(product(text))
    positions = [[units_position(text, u) for u in w.units] for w in encoded.windows]
    assert positions == [list(range(a, a + 10)) for a in (0, 6, 12)] + [list(range(18, 24))]
    assert [w.owned for w in encoded.windows] == [(0, 8), (2, 8), (2, 8), (2, 6)]


def units_position(text: str, unit: Unit) -> int:
    return text[: unit.start].count(" ")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    fields=st.lists(
        st.lists(st.sampled_from(["red", "striped", "纯棉", "x" * 30, "a-b"]), max_size=30), min_size=1, max_size=3
    ),
    max_tokens=st.integers(8, 40),
    overlap=st.integers(0, 19),
    units=st.sampled_from(["word", "piece", "char"]),
)
def test_every_unit_is_owned_by_one_window_and_no_window_is_too_long(
    fields: list[list[str]], max_tokens: int, overlap: int, units: str
) -> None:
    overlap = min(overlap, (max_tokens - 1) // 2)
    texts_ = [" ".join(f) for f in fields]
    own = encoder(
        None,
        f"text.max_tokens={max_tokens}",
        f"text.overlap={overlap}",
        f"text.units={units}",
    )
    encoded = own.encode(product(*texts_))
    assert encoded.coverage == 1.0
    assert "".join(said(encoded, *texts_)) == "".join(texts_).replace(" ", "")  # each once, in order
    for window in encoded.windows:
        assert len(window.ids) <= max_tokens
        assert len(window.units) == len(window.unit_index)
        for unit, at in zip(window.units, window.unit_index, strict=True):
            assert tuple(window.ids[at : at + len(unit.ids)]) == unit.ids
    firsts = [w.units[0] for w in encoded.windows]
    assert firsts == sorted(set(firsts), key=lambda u: (u.field, u.start))  # each window goes on


def test_a_category_is_read_before_the_texts_of_each_window_and_has_no_units() -> None:
    text = " ".join(["red", "blue"] * 12)
    own = encoder(None, "text.max_tokens=14", "text.overlap=4", "text.category=true")
    plain = own.encode(product(text))
    encoded = own.encode(replace(product(text), category="Shirt red shirt red"))
    ahead = [own.tokenizer.convert_tokens_to_ids(word) for word in ("shirt", "red")]  # a quarter of a window at most
    for window in encoded.windows:
        assert window.ids[:4] == [own.cls, *ahead, own.sep]
        assert window.unit_index[0] == 4
        assert len(window.ids) <= 14
    assert units_of(encoded) == units_of(plain)
    assert own.encode(replace(product(text), category=" ")).windows == plain.windows


def test_a_category_is_not_read_where_it_is_not_asked_for() -> None:
    shirt = replace(product("red shirt"), category="Shirts")
    assert encoder().encode(shirt).windows == encoder().encode(product("red shirt")).windows


def test_a_word_of_more_pieces_than_a_window_is_read_in_parts() -> None:
    text = "red " + "striped" * 6
    encoded = encoder(None, "text.max_tokens=12", "text.overlap=4").encode(product(text))
    assert [len(u.ids) for u in units_of(encoded)] == [1, 10, 10, 10, 10, 2]
    assert encoded.coverage == 1.0


def test_a_very_long_text_is_read_and_labelled() -> None:
    sentence = "red cotton shirt, 100% leather.\n"
    text = sentence * (100_000 // len(sentence))
    spans = [Span("color", at, at + 3, "red", "title") for at in range(0, len(text), len(sentence))]
    encoded = labelled(encoder(None, "text.max_tokens=256"), product(text, spans=spans, complete=True))
    assert encoded.coverage == 1.0
    assert decoded(encoded)[COLOR] == [("title", s.start, s.end) for s in spans]


# ---- labels --------------------------------------------------------------------------------------------------------


def decoded(encoded: EncodedProduct) -> dict[int, list[tuple[str, int, int]]]:
    """Spans read back from the tags as extraction does it: attribute -> (field, start, end)."""
    found = defaultdict(list)
    for window in encoded.windows:
        for attribute, tags in sorted(window.labels.pairs.items()):
            row = torch.tensor([tags])
            _, starts, ends = spans_from_tags(row, torch.ones_like(row, dtype=torch.bool))
            found[attribute] += characters(encoded, window, starts.tolist(), ends.tolist())
    return dict(found)


def decoded_flat(encoded: EncodedProduct) -> list[tuple[int, str, int, int]]:
    found = []
    for window in encoded.windows:
        row = torch.tensor([window.labels.flat])
        _, attributes, starts, ends = flat_spans_from_tags(row, torch.ones_like(row, dtype=torch.bool))
        for a, start, end in zip(attributes.tolist(), starts.tolist(), ends.tolist(), strict=True):
            found += [(a, *place) for place in characters(encoded, window, [start], [end])]
    return found


def characters(encoded: EncodedProduct, window: Any, starts: list[int], ends: list[int]) -> list[tuple[str, int, int]]:
    return [
        (encoded.fields[window.units[a].field], window.units[a].start, window.units[b - 1].end)
        for a, b in zip(starts, ends, strict=True)
        if window.owned[0] <= a < window.owned[1]
    ]


@st.composite
def labelled_products(draw: st.DrawFn) -> Product:
    """Two fields of words; spans of one to three whole words, apart from each other."""
    fields: dict[str, str] = {}
    spans = []
    for name in ("title", "description"):
        words = draw(st.lists(st.sampled_from([*WORDS[:8], "纯", "❤️"]), max_size=40))
        places, text = [], ""
        for word in words:
            text += " " if text else ""
            places.append((len(text), len(text) + len(word)))
            text += word
        fields[name] = text
        at = 0
        while at < len(words):
            length = draw(st.integers(1, 3))
            attribute = draw(st.sampled_from([None, *SCHEMA.names]))
            if attribute is not None:
                start, end = places[at][0], places[min(at + length, len(words)) - 1][1]
                spans.append(Span(attribute, start, end, text[start:end], name))
            at += length
    return Product("p", fields, spans=tuple(draw(st.permutations(spans))))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    gold=labelled_products(),
    tokenizer=st.sampled_from(["bert", "byte_level", "sentence_piece"]),
    units=st.sampled_from(["word", "piece"]),
    max_tokens=st.sampled_from([64, 200]),
)
def test_tags_read_back_are_the_gold_spans(gold: Product, tokenizer: str, units: str, max_tokens: int) -> None:
    if tokenizer == "sentence_piece":
        units = "word"  # it may join a word and what stands beside it into one piece
    own = encoder(
        TOKENIZERS[tokenizer](),
        f"text.units={units}",
        f"text.max_tokens={max_tokens}",
        "text.overlap=31",
    )
    encoded = labelled(own, gold)
    order = list(gold.fields)
    expected = sorted((SCHEMA.index(s.attribute), order.index(s.field), s.start, s.end) for s in gold.spans)
    pairs = [(a, order.index(f), start, end) for a, places in decoded(encoded).items() for f, start, end in places]
    assert sorted(pairs) == expected
    assert sorted((a, order.index(f), start, end) for a, f, start, end in decoded_flat(encoded)) == expected


def states(labels: Labels) -> list[int]:
    return [labels.state(a) for a in range(3)]


def labels_of(text: str, *spans: Span, overrides: tuple[str, ...] = (), **more: Any) -> Any:
    (window,) = labelled(encoder(None, *overrides), product(text, spans=list(spans), **more)).windows
    return window.labels


def test_a_span_that_cuts_a_word_widens_to_it() -> None:
    text = "redcotton shirt"
    assert labels_of(text, span("color", text, "red")).pairs == {COLOR: [1, 0]}
    assert labels_of(text, span("material", text, "cotton shi")).pairs == {MATERIAL: [1, 2]}


def test_of_overlapping_spans_of_one_attribute_the_longest_is_tagged() -> None:
    text = "red cotton shirt"
    short, long = span("material", text, "cotton"), span("material", text, "cotton shirt")
    assert labels_of(text, short, long).pairs == labels_of(text, long, short).pairs == {MATERIAL: [0, 1, 2]}


def test_adjacent_spans_of_one_attribute_stay_two() -> None:
    text = "red blue shirt"
    assert labels_of(text, span("color", text, "red"), span("color", text, "blue")).pairs == {COLOR: [1, 1, 0]}


def test_spans_of_two_attributes_on_the_same_words_are_apart_in_pairs_and_the_longer_is_flat() -> None:
    text = "red blue cotton shirt"
    labels = labels_of(text, span("color", text, "red blue"), span("brand", text, "blue cotton shirt"))
    assert labels.pairs == {COLOR: [1, 2, 0, 0], BRAND: [0, 1, 2, 2]}
    assert labels.flat == [0, 1, 2, 2]  # 2 * BRAND + B, I, I


def test_attributes_outside_the_schema_teach_nothing() -> None:
    labels = labels_of("red shirt", Span("fit", 0, 3, "red", "title"))
    assert (labels.pairs, states(labels)) == ({}, [BLANK] * 3)


def test_cells_keep_their_state() -> None:
    text = "red shirt"
    table = {"brand": (), "material": ("cotton",)}
    assert states(labels_of(text, span("color", text, "red"), table=table)) == [ABSENT, LOCATED, NOT_LOCATED]
    assert states(labels_of(text, span("color", text, "red"))) == [BLANK, LOCATED, BLANK]
    assert states(labels_of(text, span("color", text, "red"), complete=True)) == [ABSENT, LOCATED, ABSENT]


@pytest.mark.parametrize(("complete", "elsewhere"), [(True, ABSENT), (False, NOT_LOCATED)])
def test_a_value_said_in_another_window_is_not_located_in_this_one(complete: bool, elsewhere: int) -> None:
    text = "red " + "shirt " * 40
    gold = product(text, spans=[span("color", text, "red")], complete=complete)
    encoded = labelled(encoder(None, "text.max_tokens=24", "text.overlap=4"), gold)
    states = [w.labels.state(COLOR) for w in encoded.windows]
    assert states == [LOCATED, *[elsewhere] * (len(encoded.windows) - 1)]
    assert len(states) > 1


# ---- a partly filled table -----------------------------------------------------------------------------------------

KNOWN = Schema(
    (
        Attribute("brand", options=("hazzys",)),
        Attribute("color", options=("red", "blue", "red blue")),
        Attribute("material", options=("cotton", "leather")),
    ),
    categories={"shoes": ("brand", "material")},
)


def doubtful(*texts: str, overrides: tuple[str, ...] = (), **more: Any) -> list[Any]:
    """The labels of each window, with mentions."""
    config = Config.load("small", ["text.max_tokens=64", "text.overlap=16", *overrides])
    targets = TargetEncoder(KNOWN, UnlabelledMentions.learn([], KNOWN))
    windows = labelled(ProductEncoder(bert(), config, KNOWN), product(*texts, **more), targets).windows
    return [w.labels for w in windows]


def test_a_mention_in_a_blank_cell_may_have_any_tag() -> None:
    (labels,) = doubtful("a red blue cotton shirt", spans=[])
    assert labels.uncertain == {COLOR: [(1, 3)], MATERIAL: [(3, 4)]}
    assert labels.pairs == {}
    assert labels.tags(COLOR) == [0, UNKNOWN, UNKNOWN, 0, 0]
    assert labels.tags(BRAND) == [0] * 5
    assert states(labels) == [BLANK] * 3


def test_beside_a_label_a_mention_may_have_any_tag_and_the_label_stays() -> None:
    text = "red shirt with blue"
    (labels,) = doubtful(text, spans=[span("color", text, "red")])
    assert labels.pairs == {COLOR: [1, 0, 0, 0]}
    assert labels.tags(COLOR) == [1, 0, 0, UNKNOWN]
    assert states(labels) == [BLANK, LOCATED, BLANK]


def test_a_unit_that_is_part_of_a_label_is_not_in_doubt() -> None:
    text = "red-redcotton"  # one word: the label widens to it
    (labels,) = doubtful(text, spans=[Span("color", 4, 13, "redcotton", "title")], overrides=("text.units=word",))
    assert labels.tags(COLOR) == [UNKNOWN, 0, 1]


def test_nothing_is_in_doubt_in_absent_cells_and_complete_products() -> None:
    for more in ({"complete": True}, {"table": {"color": (), "material": ()}}):
        (labels,) = doubtful("red cotton shirt", spans=[], **more)
        assert labels.uncertain == {}


def test_a_category_rules_attributes_out_where_nothing_else_is_known() -> None:
    text = "red cotton shoes"
    (labels,) = doubtful(text, spans=[], category="shoes")
    assert states(labels) == [BLANK, ABSENT, BLANK]
    assert labels.uncertain == {MATERIAL: [(1, 2)]}
    (labels,) = doubtful(text, spans=[span("color", text, "red")], category="shoes")
    assert states(labels) == [BLANK, LOCATED, BLANK]
    (labels,) = doubtful(text, spans=[], category="shoes", table={"color": ("pink",)})
    assert states(labels) == [BLANK, NOT_LOCATED, BLANK]
    assert set(labels.uncertain) == {COLOR, MATERIAL}
    for unlisted in ("hats", None):
        (labels,) = doubtful(text, spans=[], category=unlisted)
        assert states(labels) == [BLANK] * 3


def test_mentions_are_cut_to_their_windows() -> None:
    labels = doubtful("shirt " * 30 + "red blue", spans=[], overrides=("text.max_tokens=24", "text.overlap=4"))
    assert [bool(x.uncertain) for x in labels] == [False] * (len(labels) - 1) + [True]
    assert labels[-1].tags(COLOR)[-3:] == [0, UNKNOWN, UNKNOWN]


def taught(*finds: tuple[str, str, float], text: str, overrides: tuple[str, ...] = (), **more: Any) -> Any:
    """The labels of each window, with a teacher that found (attribute, words, confidence)."""
    values = tuple(
        Value.from_span(Span(a, text.index(w), text.index(w) + len(w), w, "title"), confidence)
        for a, w, confidence in finds
    )
    read = Prediction("p", values, {a: 0.8 for a, _, _ in finds})
    config = Config.load("small", ["text.max_tokens=64", "text.overlap=16", *overrides])
    teacher = Teacher([read], KNOWN, high=0.9, low=0.1)
    targets = TargetEncoder(KNOWN, UnlabelledMentions.learn([], KNOWN), teacher)
    windows = labelled(ProductEncoder(bert(), config, KNOWN), product(text, **more), targets).windows
    return [w.labels for w in windows]


def test_what_a_teacher_is_sure_of_becomes_a_label_that_counts_as_much() -> None:
    text = "red hazzys shirt, blue leather"
    (labels,) = taught(("color", "red", 0.97), ("color", "blue", 0.93), ("brand", "hazzys", 0.5), text=text)
    assert labels.pseudo == {COLOR: ([1, 0, 0, 0, 1, 0], 0.93)}
    assert labels.tags(COLOR) == [1, 0, 0, 0, 1, 0]
    assert labels.tags(BRAND) == [0, UNKNOWN, 0, 0, 0, 0]
    assert labels.uncertain == {BRAND: [(1, 2)]}  # leather: not in the teacher's range
    assert labels.scores == pytest.approx({COLOR: 0.8, BRAND: 0.8})
    assert labels.pairs == {}
    assert states(labels) == [BLANK] * 3


def test_a_teachers_label_joins_the_shops() -> None:
    text = "red shirt with striped blue"
    (labels,) = taught(("color", "striped blue", 0.97), text=text, spans=[span("color", text, "red")])
    assert labels.tags(COLOR) == [1, 0, 0, 1, 2]
    assert labels.pairs == {COLOR: [1, 0, 0, 0, 0]}
    assert labels.scores == {}


def test_a_teachers_score_goes_to_the_windows_that_say_something() -> None:
    text = "shirt " * 30 + "red"
    labels = taught(("color", "red", 0.97), text=text, overrides=("text.max_tokens=24", "text.overlap=4"))
    assert [bool(x.pseudo) for x in labels] == [bool(x.scores) for x in labels] == [*[False] * (len(labels) - 1), True]


def test_without_mentions_nothing_is_in_doubt() -> None:
    assert labels_of("red cotton shirt").uncertain == {}


# ---- known options -------------------------------------------------------------------------------------------------

HAZZYS, (RED_, BLUE_), (COTTON, LEATHER) = 0, (0, 1), (0, 1)
"""Numbers of the options in KNOWN."""


def options_of(text: str, **more: Any) -> dict[int, list[int]]:
    (labels,) = doubtful(text, **more)
    return dict(labels.options)


def test_a_cell_chooses_its_options_whether_the_text_says_them_or_not() -> None:
    text = "red cotton shirt"
    said = span("color", text, "red")
    table = {"brand": ("hazzys",), "color": ("red",), "material": ("leather",)}  # of which the text says the second
    assert options_of(text, spans=[said], table=table) == {BRAND: [HAZZYS], COLOR: [RED_], MATERIAL: [LEATHER]}
    assert options_of(text, table=table) == {BRAND: [HAZZYS], COLOR: [RED_], MATERIAL: [LEATHER]}


def test_several_values_of_a_cell_are_several_options_each_once() -> None:
    table = {"material": ("leather", "cotton", "leather")}
    assert options_of("shirt", spans=[], table=table) == {MATERIAL: [LEATHER, COTTON]}


def test_blank_and_absent_cells_choose_nothing() -> None:
    assert options_of("red cotton shirt", spans=[], table={"color": ()}) == {}
    assert options_of("red cotton shirt", spans=[], complete=True) == {}


def test_values_that_are_no_options_are_left_out() -> None:
    assert options_of("shirt", spans=[], table={"color": ("lilac", "blue"), "material": ("silk",)}) == {COLOR: [BLUE_]}
    assert options_of("shirt", spans=[], table={"fit": ("slim",)}) == {}  # an attribute of no schema


def test_labels_name_options_where_the_table_does_not() -> None:
    text = "red shirt with Blue"
    red, blue = span("color", text, "red"), replace(span("color", text, "Blue"), value="blue")
    assert options_of(text, spans=[red, blue]) == {COLOR: [RED_, BLUE_]}  # their value, or else their words
    assert options_of(text, spans=[blue, red], table={"color": ("red blue",)}) == {COLOR: [2]}  # the cell goes first
    assert options_of(text, spans=[replace(blue, value=None)]) == {}  # the text's word is no option


def test_every_window_chooses_the_same() -> None:
    text, overrides = "red " + "shirt " * 40, ("text.max_tokens=24", "text.overlap=4")
    windows = doubtful(text, spans=[span("color", text, "red")], table={"material": ("cotton",)}, overrides=overrides)
    assert len(windows) > 2
    assert [dict(w.options) for w in windows] == [{COLOR: [RED_], MATERIAL: [COTTON]}] * len(windows)
    assert [states(w)[COLOR] for w in windows[1:]] == [NOT_LOCATED] * (len(windows) - 1)


# ---- the tokenizer -------------------------------------------------------------------------------------------------


def test_what_others_do_with_the_tokenizer_does_not_matter() -> None:
    own, text = encoder(), "red [SEP] shirt " * 20
    before = own.encode(product(text)).windows
    bert()(["red", "blue"], padding="max_length", truncation=True, max_length=7, return_tensors="pt")
    assert own.encode(product(text)).windows == before


def test_an_encoder_in_another_process_encodes_the_same() -> None:
    own, text = encoder(), "red [SEP] shirt"
    copy = pickle.loads(pickle.dumps(own))
    assert copy.encode(product(text)).windows == own.encode(product(text)).windows


def test_a_tokenizer_without_offsets_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"tokenizer \(SimpleNamespace\) gives no character offsets; choose an encoder"
    ):
        encoder(SimpleNamespace())


def test_a_tokenizer_without_a_special_token_is_refused() -> None:
    backend = byte_level().backend_tokenizer
    without = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="<s>", sep_token="</s>")
    with pytest.raises(ConfigError, match=r"its tokenizer has no unk_token, .* choose a BERT-like encoder"):
        encoder(without)


def test_single_characters_of_a_tokenizer_of_bytes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"text.units=char needs .* reads bytes; set text.units=piece"):
        encoder(byte_level(), "text.units=char")
