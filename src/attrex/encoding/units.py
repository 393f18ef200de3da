"""Texts as units with exact character offsets.

A *unit* is what one tag stands for: a word, a word piece, or a character; a symbol is one of its own. Space is no part
of a unit, and tokens that stand for nothing but space are not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from attrex.characters import CLUSTER, IDEOGRAPH, IGNORABLE, SYLLABLE
from attrex.encoding.reading import readable, without_glue
from attrex.errors import ConfigError

_SPLIT_IDEOGRAPHS = re.compile(f"(?<={IDEOGRAPH}) (?={IDEOGRAPH})")
_UNSPACED_LETTER = re.compile(f"{IDEOGRAPH}|{CLUSTER}|{SYLLABLE}")
_JOINER = "\u200d"
_SPACE = "\u2581"
"""What SentencePiece makes of a space. As a token by itself it claims the place of the letter behind it."""
_MODIFIER = re.compile(
    "[\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # joiner, skin tones, tags of flags
    "\u0e33\u0eb3\u1160-\u11ff\ud7b0-\ud7fb]"  # the vowel am of Thai and Lao, vowels and finals of Korean
)


class Unit(NamedTuple):
    """One tagged unit: token ids, and characters start..end (exclusive) of a field."""

    ids: tuple[int, ...]
    field: int
    start: int
    end: int


class UnitTokenizer:
    """Cuts texts into units as `text.units` says.

    :param tokenizer: a fast Hugging Face tokenizer.
    :param kind: word, piece, char, or auto: words where the tokenizer splits on punctuation, else pieces.
    :param model: the name of the text model, for errors.
    :param most: most tokens of a unit; longer words are cut.
    :param split: part words that are glued together (`text.split_words`).
    :raises ConfigError: for a tokenizer that gives no character offsets, lacks a special token, or reads bytes where
        characters are wanted.
    """

    def __init__(self, tokenizer: Any, kind: str, *, model: str, most: int, split: bool = False) -> None:
        self.backend, self.most = whole_texts(tokenizer), most
        self.unknown = special_token_id(tokenizer, "unk_token")
        self.reserved = {*tokenizer.all_special_ids} - {self.unknown}
        cutter = repr(self.backend.pre_tokenizer)
        self.spaced = "BertPreTokenizer" in cutter  #: a space in front of a word is nothing that it reads
        if kind == "auto":
            kind = "word" if self.spaced or "Punctuation" in cutter else "piece"
        if kind == "char" and "ByteLevel" in cutter:
            raise ConfigError(
                f"text.units=char needs a vocabulary of characters, text.model={model} reads bytes; "
                "set text.units=piece, or text.model to a BERT with a vocabulary of characters"
            )
        self.kind = kind
        self.split = split and kind == "word"
        self._vocabulary: dict[str, int] = tokenizer.get_vocab() if kind == "char" else {}
        self._space = self.backend.token_to_id(_SPACE) if "Metaspace" in cutter else None

    def units(self, field: int, text: str) -> Iterable[Unit]:
        """The units of one field's text, in reading order."""
        read = readable(text, words=self.kind == "word" and self.spaced)
        if self.split:
            read = without_glue(read)
        if self.kind == "char":
            known = self._vocabulary
            return (
                Unit((known.get(c.lower(), known.get(c, self.unknown)),), field, *read.original(i, i + 1))
                for i, c in enumerate(read.text)
                if not c.isspace()
            )
        encoding = self.backend.encode(read.text, add_special_tokens=False)
        # A text that says "[SEP]" or "<s>" means no separator.
        ids = [self.unknown if i in self.reserved else i for i in encoding.ids]
        pieces = zip(ids, encoding.offsets, encoding.word_ids, strict=True)
        seen = (piece for piece in pieces if piece[0] != self._space)
        borders = () if self.spaced or read.text.isascii() else unspaced_borders(read.text)
        units = join_pieces(field, read.text, seen, words=self.kind == "word", most=self.most, borders=borders)
        return units if read.unchanged else (Unit(u.ids, field, *read.original(u.start, u.end)) for u in units)

    def decode(self, ids: Sequence[int]) -> str:
        """The words of token ids, without the spaces that a tokenizer puts between characters."""
        if self.kind == "char":
            return "".join(self.backend.id_to_token(i) for i in ids)
        return _SPLIT_IDEOGRAPHS.sub("", self.backend.decode(list(ids), skip_special_tokens=False)).strip()


def whole_texts(tokenizer: Any) -> Any:
    """A copy of the fast tokenizer inside that neither cuts texts nor pads them, as some come set to.

    A copy, for whoever calls the original changes its truncation and padding.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"text.model: its tokenizer ({type(tokenizer).__name__}) gives no character offsets; "
            "choose an encoder with a fast tokenizer (tokenizer.json)"
        )
    backend = deepcopy(backend)
    backend.no_truncation()
    backend.no_padding()
    return backend


def special_token_id(tokenizer: Any, name: str) -> int:
    """The id of `cls_token`, `sep_token`, `pad_token` or `unk_token`; :class:`ConfigError` where there is none."""
    number = getattr(tokenizer, f"{name}_id")
    if number is None:
        raise ConfigError(
            f"text.model: its tokenizer has no {name}, which texts are framed, padded or filled with; "
            "choose a BERT-like encoder, or define the token in tokenizer_config.json"
        )
    return int(number)


def join_pieces(
    field: int, text: str, pieces: Iterable[Any], *, words: bool, most: int, borders: Collection[int] = ()
) -> Iterator[Unit]:
    """Units of (id, (start, end), word) pieces, at most ``most`` ids each.

    Pieces that share a character (bytes of one emoji) are one unit; with ``words`` so are the pieces of a word.

    :param borders: characters at which a unit may begin within what the tokenizer takes for a word.
    """
    ids: list[int] = []
    begin = end = 0
    word = None
    for token, (low, high), at in pieces:
        # Tokens of some tokenizers include the space beside them; values do not.
        start, stop = low, high
        while start < stop and text[start].isspace():
            start += 1
        while start < stop and text[stop - 1].isspace():
            stop -= 1
        if start >= stop:
            continue
        same = words and at is not None and at == word and start not in borders
        if ids and (start < end or (same and len(ids) < most)):
            ids += [token] if len(ids) < most else []
            end = _character_end(text, stop) if stop > end else end
            continue
        if ids:
            yield Unit(tuple(ids), field, begin, end)
        ids, begin, end, word = [token], start, _character_end(text, stop), at
    if ids:
        yield Unit(tuple(ids), field, begin, end)


def unspaced_borders(text: str) -> set[int]:
    """Where a letter begins, with its signs, of a script that puts no space between words."""
    return {letter.start() for letter in _UNSPACED_LETTER.finditer(text)}


def _character_end(text: str, end: int) -> int:
    """Move an end past what a reader sees as part of the character: combining marks, joiners and what they join."""
    while end < len(text) and text[end] > "\u02ff":
        kind = unicodedata.category(text[end])
        joined = text[end - 1] == _JOINER and kind == "So"
        if kind[0] != "M" and _MODIFIER.match(text[end]) is None and not joined:
            break
        end += 1
    return end


def coverage(texts: Sequence[str], units: Sequence[Unit]) -> float:
    """Share of the characters, without space and ignorable ones, that belong to a unit; one that the tokenizer has no
    piece for is [UNK]."""
    total = sum(map(_seen, texts))
    read = sum(_seen(texts[u.field][u.start : u.end]) for u in units)
    return read / total if total else 1.0


def _seen(text: str) -> int:
    """Characters that are neither space nor ignorable."""
    text = text if text.isprintable() and text.isascii() else IGNORABLE.sub("", text)
    return len(text) - sum(map(str.isspace, text))
