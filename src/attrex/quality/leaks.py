"""What stands in more than one split."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from attrex.quality.report import Finding, Severity, counted_list, finding
from attrex.types import Product

_LEAKS: Mapping[str, Severity] = {
    "id": "error",
    "group": "error",
    "text": "warning",
    "photo": "warning",
    "title": "info",
}


class Duplicates:
    """What occurs in more than one split: a model is then tested on what it was trained on."""

    def __init__(self) -> None:
        self.first: defaultdict[str, dict[bytes, str]] = defaultdict(dict)  # kind -> digest -> split it was first in
        self.leaked: Counter[tuple[str, str]] = Counter()  # (kind, split) -> products that share it with an earlier one
        self.repeated: Counter[str] = Counter()  # split -> ids that come again within it

    def add(self, split: str, product: Product) -> None:
        texts = [" ".join(t.casefold().split()) for t in product.fields.values()]
        self.note("id", product.id, split)
        if any(texts):
            self.note("text", "\n".join(texts), split)
        if len(texts) > 1 and texts[0]:
            self.note("title", texts[0], split)
        if product.group is not None:
            self.note("group", product.group, split)

    def note(self, kind: str, key: str | bytes, split: str) -> None:
        data = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=16).digest()
        first = self.first[kind].get(digest)
        if first is None:
            self.first[kind][digest] = split
        elif first != split:
            self.leaked[kind, split] += 1
        elif kind == "id":
            self.repeated[split] += 1

    def findings(self) -> Iterator[Finding]:
        for kind, severity in _LEAKS.items():
            by_split = {split: n for (k, split), n in self.leaked.items() if k == kind}
            if by_split:
                yield finding(
                    f"{kind}-across-splits",
                    severity,
                    f"products share their {kind} with a product of an earlier split: {counted_list(by_split)}",
                    "put products with the same text or photo into one group and split by group; scores on them tell "
                    "what was memorised",
                    products=by_split,
                )
        if self.repeated:
            yield finding(
                "repeated-ids",
                "warning",
                f"ids that come more than once in a split: {counted_list(self.repeated)}",
                "make ids unique: results are matched to products by id",
                products=dict(self.repeated),
            )
