"""Distant supervision: find the values of a shop's table in the product's text, so that they can teach a model.

Texts and values are cut into words, each word is folded (case, spelling, plural), and the folded values are searched in
the folded text. Every folded word keeps the place it came from, so offsets are exact whatever the folding did.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import yaml

from attrex.errors import ConfigError, DataError, did_you_mean
from attrex.schema import Schema
from attrex.types import Product, Span

if TYPE_CHECKING:
    from rich.console import RenderableType

WORD_FORMS = {
    # folded word -> the word it is read as, in texts and values alike: spellings, adjectives, irregular plurals
    "men": "man",
    "women": "woman",
    "children": "child",
    "len": "lens",
    "gray": "grey",
    "colour": "color",
    "analog": "analogue",
    "tee": "tshirt",
    "neckline": "neck",
    "necked": "neck",
    "collared": "collar",
    "sleeved": "sleeve",
    "heeled": "heel",
    "printed": "print",
    "striped": "stripe",
    "checked": "check",
    "checkered": "check",
    "chequered": "check",
    "zipper": "zip",
    "zipped": "zip",
    "resistance": "resistant",
    "scarve": "scarf",
    "jewellery": "jewelry",
    "polarized": "polarised",
    "&": "and",
}
ALIASES = {
    # value -> other words for it in English fashion texts; one direction only: a bag need not be a handbag
    "tshirts": ("t shirt",),
    "round neck": ("crew neck",),
    "long sleeves": ("full sleeves",),
    "short sleeves": ("half sleeves",),
    "no sleeves": ("sleeveless",),
    "three-quarter sleeves": ("3/4 sleeves", "3/4th sleeves"),
    "flip flops": ("slippers",),
    "handbags": ("bag",),
    "slim fit": ("slim",),
    "stainless steel": ("steel",),
    "training or gym": ("training", "gym"),
    "navy blue": ("navy",),
    "polka dots": ("dotted",),
    "embroidered": ("embroidery",),
    "trousers": ("pants",),
    "sweatshirts": ("hoodie",),
    "sweaters": ("pullover", "jumper"),
}

BLANK_MARKERS = (
    "",
    "na",
    "n/a",
    "nan",
    "none",
    "null",
    "nil",
    "-",
    "--",
    "?",
    "unknown",
    "not available",
    "not applicable",
)
_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_HYPHENS = "\\-\u2010\u2011"
_IS_CJK = re.compile(f"[{_CJK}]")
_K = TypeVar("_K")
_V = TypeVar("_V")
_Key = tuple[str, str, int, int]


@dataclass(frozen=True)
class LocatePolicy:
    """What counts as a table value being said in a text, and what happens when two values claim the same words.

    Raises :class:`ConfigError` on a choice that does not exist.
    """

    ignore_case: bool = True
    fold_inflection: bool = True  #: English singular ~ plural (dress ~ dresses), possessive (Men's ~ Men)
    hyphen_is_space: bool = True  #: "crew-neck" ~ "crew neck"
    join_words: bool = True  #: "t shirt" ~ "tshirt", and "t-shirt" too where a hyphen is a space
    aliases: bool = True  #: use the built-in word lists and the schema's aliases
    word_boundaries: bool = True  #: whole words only (Chinese, Japanese, Korean: whole characters); else any characters
    min_length: int = 2  #: shorter values are not searched, in characters (CJK values always are)
    occurrences: str = "all"  #: "all", or only the "first" of each value
    overlap: str = (
        "longest"  #: who gets overlapping words: "longest", "priority" (attribute order first) or "keep" both
    )
    priority: tuple[
        str, ...
    ] = ()  #: attributes, strongest first; those left out follow in the order of the schema or table
    columns: Mapping[str, str] = field(default_factory=dict)  #: table column -> attribute it is merged into
    other_columns: str = (
        "keep"  #: columns without a mapping: "keep" under their own name, or "drop" (counted in the report)
    )
    blank: tuple[str, ...] = BLANK_MARKERS  #: cell texts that mean unknown; case does not matter
    absent: tuple[str, ...] = ()  #: cell texts that mean "known to have none"

    def __post_init__(self) -> None:
        choices = {
            "occurrences": ("all", "first"),
            "overlap": ("longest", "priority", "keep"),
            "other_columns": ("keep", "drop"),
        }
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise ConfigError(
                    f"locate policy: {key} should be one of {', '.join(known)}, not {getattr(self, key)!r}"
                )

    @classmethod
    def load(cls, path: str | Path) -> LocatePolicy:
        """Read a YAML policy; keys left out keep their defaults. Raises :class:`ConfigError` naming the key."""
        path = Path(path)
        try:
            body = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"no policy file {path}; LocatePolicy().save() writes one with every key") from None
        except (yaml.YAMLError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path} is not YAML: {exc}") from exc
        if not isinstance(body, dict):
            raise ConfigError(f"{path} should be a mapping of policy keys, such as 'overlap: longest'")
        defaults = {f.name: getattr(DEFAULT_POLICY, f.name) for f in fields(cls)}
        for key, value in body.items():
            if key not in defaults:
                raise ConfigError(f"{path}: unknown key {key!r}{did_you_mean(str(key), defaults)}")
            body[key] = _as_type_of(defaults[key], value, f"{path}: {key}")
        return cls(**body)

    def save(self, path: str | Path) -> None:
        body = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        Path(path).write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")


def _as_type_of(default: Any, value: Any, where: str) -> Any:
    """``value`` from YAML as the type of the policy's default; raises :class:`ConfigError`."""
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(map(str, value))
    if isinstance(default, dict) and isinstance(value, dict):
        return {str(k): str(v) for k, v in value.items()}
    if type(value) is type(default):
        return value
    kind = {bool: "true or false", int: "a whole number", str: "a word", tuple: "a list", dict: "a mapping"}[
        type(default)
    ]
    raise ConfigError(f"{where} should be {kind}, not {value!r}")


DEFAULT_POLICY = LocatePolicy()


@cache
def _combining_marks() -> str:
    """Accents, vowel signs, joiners and soft hyphens, for a regex class: no match may end in front of one of them."""
    marks = [chr(c) for c in range(0x300, 0x10000) if unicodedata.category(chr(c)) in ("Mn", "Mc", "Me")]
    return "".join(marks) + "\u00ad\u200c\u200d\u2060"


@cache
def _word_pattern(word_boundaries: bool, hyphen_is_space: bool) -> re.Pattern[str]:
    """What a text is split by, as one group: words with their marks, numbers, single CJK characters and signs."""
    marks = f"[{_combining_marks()}]"
    # A hyphen between spaces is a dash: it keeps two words apart, so it stays a sign of its own.
    sign = rf"(?:(?<=\s)[{_HYPHENS}](?=\s)|[^\s{_HYPHENS}]){marks}*" if hyphen_is_space else rf"\S{marks}*"
    if not word_boundaries:
        return re.compile(f"({sign})")
    letters = rf"[^\W\d_{_CJK}]+"
    return re.compile(rf"({letters}(?:{marks}+(?:{letters})?)*(?:['’][sS](?!\w))?|\d+|{sign})")


def fold_plural(word: str) -> str:
    """One form for the singular and plural of an English word: ``dresses -> dress``, ``hoodie, hoodies -> hoody``.

    The form need not be a word (``blouse, blouses -> blous``); it only has to be the same for both.
    """
    plural = word.endswith("s") and not word.endswith("ss")
    if plural and (len(word) > 3 or (len(word) == 3 and word[1] not in "aeiou")):  # "lace-ups", but not "gas"
        word = word[:-1]
    if word.endswith("ie"):
        return word[:-2] + "y"
    return word[:-1] if len(word) > 3 and word.endswith(("se", "ze", "xe", "che", "she")) else word


class _Remembered(dict[_K, _V]):
    """A function's results by argument, for a catalogue repeats its words and cells; when too many, it starts anew."""

    def __init__(self, compute: Callable[[_K], _V], limit: int = 200_000) -> None:
        super().__init__()
        self.compute = compute
        self.limit = limit

    def __missing__(self, key: _K) -> _V:
        if len(self) >= self.limit:
            self.clear()
        self[key] = self.compute(key)
        return self[key]


class Folder:
    """Cuts a text into words and folds each as the policy says."""

    def __init__(self, policy: LocatePolicy) -> None:
        self.policy = policy
        self.pattern = _word_pattern(policy.word_boundaries, policy.hyphen_is_space)
        self.words = _Remembered(self._fold_word)

    def _fold_word(self, word: str) -> str:
        folded = unicodedata.normalize("NFKC", word).replace("\u00ad", "").replace("’", "'")
        if self.policy.ignore_case:
            folded = unicodedata.normalize("NFKC", folded.casefold())
        if self.policy.fold_inflection:
            folded = fold_plural(folded.removesuffix("'s").removesuffix("'S"))
        if self.policy.aliases:
            folded = WORD_FORMS.get(folded, folded)
        return folded if self.policy.join_words else f"{folded} "

    def fold(self, text: str) -> str:
        return "".join(map(self.words.__getitem__, self.pattern.split(text)[1::2]))


class FoldedText:
    """A text as one string of folded words, with the way back from each word to its characters."""

    def __init__(self, text: str, folder: Folder) -> None:
        parts = folder.pattern.split(text)  # gap, word, gap, word, ..., gap
        words = list(map(folder.words.__getitem__, parts[1::2]))
        self.folded = "".join(words)
        self._folded_starts = list(accumulate(map(len, words), initial=0))
        self._edges = list(accumulate(map(len, parts)))  # word i is text[edges[2 * i] : edges[2 * i + 1]]

    def find(self, form: str) -> Iterator[tuple[int, int]]:
        """Places in the text of the runs of whole words that fold to ``form``, from left to right, not overlapping."""
        starts = self._folded_starts
        at = self.folded.find(form)
        while at >= 0:
            end = at + len(form)
            first, after = bisect_left(starts, at), bisect_left(starts, end)
            whole = starts[first] == at and starts[after] == end
            if whole:
                yield self._edges[2 * first], self._edges[2 * after - 1]
            at = self.folded.find(form, end if whole else at + 1)

    def search(self, longest: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
        """(folded, start, end) of every run of whole words that could be one of many forms, whatever their number.

        ``longest``: the first two folded characters of the forms -> the length of the longest one that begins so.
        """
        starts = self._folded_starts
        for first, at in enumerate(starts[:-1]):
            most = at + longest.get(self.folded[at : at + 2], 0)
            for after in range(first + 1, len(starts)):
                if starts[after] > most:
                    break
                yield self.folded[at : starts[after]], self._edges[2 * first], self._edges[2 * after - 1]


@dataclass
class AttributeCounts:
    """What became of one attribute's cells."""

    cells: int = 0  #: filled cells
    located: int = 0  #: cells with at least one span
    outbid: int = 0  #: cells that were said in the text, but another attribute took all their words
    absent: int = 0  #: cells known to have no value
    merged: int = 0  #: further columns that added to a filled cell
    spans: int = 0
    found: Counter[str] = field(default_factory=Counter)  #: value -> cells that said it
    missed: Counter[str] = field(default_factory=Counter)  #: value -> cells that did not

    @property
    def never_found(self) -> dict[str, int]:
        """Values that no text says, most frequent first: candidates for an alias, or left to the photo."""
        return {v: n for v, n in self.missed.most_common() if v not in self.found}

    def to_json(self, top: int = 20) -> dict[str, Any]:
        counts = {k: getattr(self, k) for k in ("cells", "located", "outbid", "absent", "merged", "spans")}
        never = self.never_found
        return counts | {
            "not_located": self.cells - self.located,
            "located_share": round(self.located / self.cells, 4) if self.cells else None,
            "never_found": dict(list(never.items())[:top]),
            "never_found_values": len(never),
        }


@dataclass
class LocateReport:
    """What was located, lost and never found, summed over all products a :class:`Locator` has seen."""

    products: int = 0
    errors: int = 0  #: marked rows, passed on as they came
    already_labelled: int = 0  #: products that came with spans, which were kept
    attributes: defaultdict[str, AttributeCounts] = field(default_factory=lambda: defaultdict(AttributeCounts))
    ambiguous: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(words, attribute that has them, attribute that claimed them too) -> times"""
    dropped_columns: Counter[str] = field(default_factory=Counter)  #: column without a mapping -> filled cells

    def to_json(self) -> dict[str, Any]:
        return {
            "products": self.products,
            "errors": self.errors,
            "already_labelled": self.already_labelled,
            "attributes": {a: c.to_json() for a, c in sorted(self.attributes.items(), key=lambda x: -x[1].cells)},
            "ambiguous": [
                {"words": words, "winner": winner, "loser": loser, "times": n}
                for (words, winner, loser), n in self.ambiguous.most_common()
            ],
            "dropped_columns": dict(self.dropped_columns.most_common()),
        }

    def render(self, top: int = 10) -> RenderableType:
        """The report as rich tables."""
        from rich.console import Group
        from rich.table import Table

        numbers = ("filled", "located", "share", "spans", "outbid", "merged")
        cells = Table(title=f"Located in the text of {self.products} products")
        for name in ("attribute", *numbers, "never found (most frequent)"):
            cells.add_column(name, justify="right" if name in numbers else "left")
        for name, row in self.to_json()["attributes"].items():
            share = "" if row["located_share"] is None else f"{row['located_share']:.0%}"
            never = ", ".join(f"{v} ({n})" for v, n in list(row["never_found"].items())[:3])
            counts = (row["cells"], row["located"], share, row["spans"], row["outbid"], row["merged"])
            cells.add_row(name, *map(str, counts), never)
        words = Table(title="Words claimed by two attributes")
        for name in ("words", "labelled", "also claimed by", "times"):
            words.add_column(name)
        for (text, winner, loser), n in self.ambiguous.most_common(top):
            words.add_row(text, winner, loser, str(n))
        notes = [f"{self.errors} rows with errors and {self.already_labelled} already labelled products passed on."]
        if self.dropped_columns:
            dropped = ", ".join(f"{c} ({n})" for c, n in self.dropped_columns.most_common(top))
            notes.append(f"{len(self.dropped_columns)} columns without a mapping were dropped: {dropped}")
        return Group(cells, *([words] if self.ambiguous else []), *notes)


class _Match(NamedTuple):
    """A value found in one field, before overlaps are settled."""

    rank: int  #: of the attribute; the smaller wins
    attribute: str
    value: str
    start: int
    end: int


class Locator:
    """Labels products with their own table's values; :attr:`report` sums up what happened.

    The schema gives further aliases, merges columns, and orders attributes where words are claimed twice.
    """

    def __init__(self, schema: Schema | None = None, policy: LocatePolicy = DEFAULT_POLICY) -> None:
        self.policy = policy
        self.report = LocateReport()
        self._columns = (schema.column_mapping() if schema else {}) | dict(policy.columns)
        order = [*policy.priority, *(schema.names if schema else ()), *self._columns.values()]
        self._rank = {a: i for i, a in enumerate(dict.fromkeys(order))}
        self._folder = Folder(policy)
        self._blank = {b.strip().casefold() for b in policy.blank} | {""}
        self._absent = {a.strip().casefold() for a in policy.absent}
        self._aliases: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        if policy.aliases:
            by_hand = [item for a in (schema.attributes if schema else ()) for item in a.aliases.items()]
            for value, forms in [*ALIASES.items(), *by_hand]:
                self._aliases[self._folder.fold(value)] += tuple(map(self._folder.fold, forms))
        self._forms = _Remembered(self._forms_of)
        self._cells = _Remembered(self._without_markers)

    def locate(self, product: Product) -> Product:
        """The product with its columns merged and a span wherever the text says one of its values.

        A value that is not said stays in ``table``; a blank cell leaves it. Products that have spans keep them, marked
        rows come back unchanged.
        """
        self.report.products += 1
        if product.error is not None:
            self.report.errors += 1
            return product
        table = self._merge_columns(product.table)
        if product.spans is not None:
            self.report.already_labelled += 1
            return replace(product, table=table)
        matches = {name: self._matches(text, table) for name, text in product.fields.items()}
        spans = [
            Span(m.attribute, m.start, m.end, product.fields[name][m.start : m.end], name, m.value)
            for name, found in matches.items()
            for m in self._settle(found, product.fields[name])
        ]
        if self.policy.occurrences == "first":
            first: dict[tuple[str, str | None], Span] = {}
            for s in spans:
                first.setdefault((s.attribute, s.value), s)
            spans = list(first.values())
        self._count(table, spans, {(m.attribute, m.value) for found in matches.values() for m in found})
        return replace(product, table=table, spans=tuple(spans))

    def _merge_columns(self, table: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Columns to attributes; blank cells go, a cell known to be absent is empty unless another column fills it."""
        merged: dict[str, tuple[str, ...]] = {}
        for column, cell in table.items():
            values = self._cells[cell]
            if values is None:
                continue
            attribute = self._columns.get(column)
            if attribute is None and self.policy.other_columns == "drop":
                self.report.dropped_columns[column] += 1
                continue
            attribute = attribute or column
            before = merged.get(attribute, ())
            self.report.attributes[attribute].merged += bool(before and values)
            merged[attribute] = tuple(dict.fromkeys((*before, *values))) if before else values
        return merged

    def _without_markers(self, cell: tuple[str, ...]) -> tuple[str, ...] | None:
        """The cell's values; empty: known to have none; None: blank."""
        said = [v for v in cell if v.strip().casefold() not in self._blank]
        if cell and not said:
            return None
        return tuple(dict.fromkeys(v for v in said if v.strip().casefold() not in self._absent))

    def _forms_of(self, value: str) -> tuple[str, ...]:
        """The folded forms to search for a value: itself and its aliases, without those that are too short."""
        form = self._folder.fold(value)
        forms = dict.fromkeys((form, *self._aliases.get(form, ())))
        shortest = max(self.policy.min_length, 1)
        return tuple(f for f in forms if len(f.strip()) >= shortest or _IS_CJK.match(f))

    def _matches(self, text: str, table: Mapping[str, tuple[str, ...]]) -> list[_Match]:
        folded = FoldedText(text, self._folder)
        found = []
        for i, (attribute, values) in enumerate(table.items()):
            rank = self._rank.get(attribute, len(self._rank) + i)
            for value in values:
                for form in self._forms[value]:
                    if form in folded.folded:
                        found += [_Match(rank, attribute, value, *place) for place in folded.find(form)]
        return [m._replace(end=without_possessive(text, m.start, m.end, m.value)) for m in found]

    def _settle(self, matches: list[_Match], text: str) -> list[_Match]:
        """The matches that stay once overlaps are decided, from left to right."""
        by_rank = self.policy.overlap == "priority"
        matches.sort(key=lambda m: ((m.rank, m.start - m.end) if by_rank else (m.start - m.end, m.rank), m.start))
        taken: defaultdict[str, bytearray] = defaultdict(lambda: bytearray(len(text)))
        owner: dict[tuple[int, int], str] = {}
        kept = []
        for m in matches:
            winner = owner.get((m.start, m.end), m.attribute)
            if winner != m.attribute:
                self.report.ambiguous[text[m.start : m.end].casefold(), winner, m.attribute] += 1
            track = taken[m.attribute if self.policy.overlap == "keep" else ""]
            if not any(track[m.start : m.end]):
                track[m.start : m.end] = b"\1" * (m.end - m.start)
                owner.setdefault((m.start, m.end), m.attribute)
                kept.append(m)
        return sorted(kept, key=lambda m: (m.start, m.end, m.rank))

    def _count(self, table: Mapping[str, tuple[str, ...]], spans: list[Span], said: set[tuple[str, str]]) -> None:
        located = {(s.attribute, s.value) for s in spans}
        for s in spans:
            self.report.attributes[s.attribute].spans += 1
        for attribute, values in table.items():
            counts = self.report.attributes[attribute]
            found = [v for v in values if (attribute, v) in located]
            counts.cells += bool(values)
            counts.absent += not values
            counts.located += bool(found)
            counts.outbid += not found and any((attribute, v) in said for v in values)
            counts.found.update(found)
            counts.missed.update(v for v in values if v not in found)


def without_possessive(text: str, start: int, end: int, value: str) -> int:
    """Where the value ends: "Men's" says Men in its first three letters, unless the value itself is "Levi's"."""
    ends_in_s = text[end - 2 : end].lower() in ("'s", "’s") and end - start > 2
    return end - 2 if ends_in_s and value[-2:-1] not in ("'", "’") else end


def agreement(located: Iterable[Product], reference: Iterable[Product]) -> dict[str, Any]:
    """How far two labellings of the same products agree: exact spans as sets, overall and per attribute.

    ``differences`` counts the reference's spans that are missing and the located ones that are extra, once the pairs
    are taken out that overlap with the same attribute (``boundary``) or name the same words another (``attribute``).
    Raises :class:`DataError` where the products differ.
    """
    ours = {p.id: {s.key for s in p.spans or ()} for p in located}
    theirs = {p.id: {s.key for s in p.spans or ()} for p in reference}
    if odd := sorted(ours.keys() ^ theirs.keys()):
        raise DataError(
            f"agreement compares the same products, but {len(odd)} are only on one side, such as {odd[0]!r}; "
            "keep the ids that both have"
        )
    hits: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    differences: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, mine in ours.items():
        found.update(k[0] for k in mine)
        wanted.update(k[0] for k in theirs[key])
        hits.update(k[0] for k in mine & theirs[key])
        for kind, attribute in _differences(mine - theirs[key], theirs[key] - mine):
            differences[attribute][kind] += 1
    return {
        "products": len(ours),
        **_scores(hits.total(), found.total(), wanted.total()),
        "differences": dict(sum(differences.values(), Counter())),
        "per_attribute": {
            a: _scores(hits[a], found[a], wanted[a]) | {"differences": dict(differences[a])}
            for a in sorted(found | wanted, key=lambda a: (-wanted[a], a))
        },
    }


def _differences(extra: set[_Key], missing: set[_Key]) -> Iterator[tuple[str, str]]:
    """(kind, attribute) of every difference; a boundary or attribute difference uses up one span of each side."""
    extra = set(extra)
    for want in sorted(missing):
        near = [k for k in sorted(extra) if k[:2] == want[:2] and k[2] < want[3] and want[2] < k[3]]
        same_words = [k for k in sorted(extra) if k[1:] == want[1:]]
        kind = "boundary" if near else "attribute" if same_words else "missing"
        extra -= set((near or same_words)[:1])
        yield kind, want[0]
    for key in extra:
        yield "extra", key[0]


def _scores(hits: int, found: int, wanted: int) -> dict[str, float]:
    return {
        "precision": round(hits / found, 4) if found else 0.0,
        "recall": round(hits / wanted, 4) if wanted else 0.0,
        "f1": round(2 * hits / (found + wanted), 4) if found + wanted else 0.0,
        "located": found,
        "reference": wanted,
    }
