"""How long texts are beside what the encoder takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrex.quality.report import Finding, finding
from attrex.types import Product


class Lengths:
    """How long the texts are, in characters, words and tokens, against what the encoder takes."""

    def __init__(self, count_tokens: Callable[[str], int] | None, max_tokens: int | None, overlap: int) -> None:
        self.count_tokens = count_tokens
        self.max_tokens = max_tokens
        self.overlap = overlap
        self.lengths: dict[str, list[int]] = {"characters": [], "words": [], "tokens": [], "windows": []}

    def add(self, split: str, product: Product) -> None:
        texts = product.fields.values()
        self.lengths["characters"].append(sum(map(len, texts)))
        self.lengths["words"].append(sum(len(t.split()) for t in texts))
        if self.count_tokens:
            tokens = sum(map(self.count_tokens, texts)) + max(0, len(texts) - 1)  # separators between fields
            self.lengths["tokens"].append(tokens)
            if self.max_tokens:
                room = self.max_tokens - 2  # the special tokens at both ends
                more = -((room - tokens) // max(1, room - self.overlap)) if tokens > room else 0
                self.lengths["windows"].append(1 + more)

    def summary(self) -> dict[str, dict[str, float]]:
        rows = {}
        for unit, values in self.lengths.items():
            if values:
                ranked = sorted(values)
                at = [ranked[int(q * (len(ranked) - 1))] for q in (0.5, 0.95, 1)]
                mean = round(sum(values) / len(values), 2)
                rows[unit] = {"mean": mean, "median": at[0], "95%": at[1], "longest": at[2]}
        return rows

    def findings(self) -> Iterator[Finding]:
        windows = self.lengths["windows"]
        long = sum(w > 1 for w in windows)
        if long:
            yield finding(
                "long-texts",
                "info" if long / len(windows) < 0.05 else "warning",
                f"{long} of {len(windows)} texts are longer than the encoder's {self.max_tokens} tokens "
                f"and are read in {sum(windows)} windows in all",
                "nothing is lost, it only takes longer; a larger text.max_tokens (as far as the encoder goes) reads "
                "more at once",
                products=long,
                windows=sum(windows),
                max_tokens=self.max_tokens,
            )
