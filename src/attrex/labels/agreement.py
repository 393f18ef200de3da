"""How far two labellings of the same products agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from attrex.errors import DataError
from attrex.types import Product

_Key = tuple[str, str, int, int]


def label_agreement(located: Iterable[Product], reference: Iterable[Product]) -> dict[str, Any]:
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
        **_agreement_scores(hits.total(), found.total(), wanted.total()),
        "differences": dict(sum(differences.values(), Counter())),
        "per_attribute": {
            a: _agreement_scores(hits[a], found[a], wanted[a]) | {"differences": dict(differences[a])}
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


def _agreement_scores(hits: int, found: int, wanted: int) -> dict[str, float]:
    return {
        "precision": round(hits / found, 4) if found else 0.0,
        "recall": round(hits / wanted, 4) if wanted else 0.0,
        "f1": round(2 * hits / (found + wanted), 4) if found + wanted else 0.0,
        "located": found,
        "reference": wanted,
    }
