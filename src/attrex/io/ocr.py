"""What photos say: text printed on a product or its packaging, as one more field of the product.

That field is read like every other: its values have offsets in it, whatever the system. PAM was made for such texts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attrex.errors import ConfigError, DataError
from attrex.io.images import Pixels, decode_whole
from attrex.types import Product

FIELD = "photo_text"
"""The field's name; its lines are the lines found, photo after photo, from top to bottom."""


class PhotoReader:
    """Reads photos with RapidOCR (PP-OCR models, from its wheel: nothing is downloaded).

    Raises :class:`ConfigError` where it is not installed.
    """

    def __init__(self, *, min_score: float = 0.8, photos: int = 4, side: int = 1280) -> None:
        """Lines that the recogniser is less sure of than ``min_score`` are left out, and photos after the first few."""
        try:
            from rapidocr import RapidOCR
        except ImportError as exc:
            raise ConfigError("reading what photos say needs RapidOCR: pip install 'attrex[ocr]'") from exc
        self.min_score, self.photos, self.side = min_score, photos, side
        self._engine: Any = RapidOCR(params={"Global.log_level": "critical", "Global.text_score": min_score})

    def lines(self, pixels: Pixels) -> list[str]:
        """The lines of text in a photo (H, W, 3) uint8 RGB, from top to bottom."""
        found = self._engine(pixels[..., ::-1])  # it expects the order of OpenCV
        if found.txts is None:
            return []
        sure = [
            (corners[:, 1].min(), corners[:, 1].max(), corners[:, 0].min(), " ".join(text.split()))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if score >= self.min_score and text.strip()
        ]
        lines: list[str] = []
        rest = sorted(sure)  # (top, bottom, left, text)
        while rest:  # pieces whose middle lies within the height of the first one are one line with it
            top, bottom, _, _ = rest[0]
            line = [p for p in rest if top <= (p[0] + p[1]) / 2 <= bottom]
            rest = [p for p in rest if p not in line]
            lines.append(" ".join(text for _, _, _, text in sorted(line, key=lambda p: p[2])))
        return lines

    def read(self, product: Product) -> Product:
        """The product with what its photos say in :data:`FIELD`.

        Without such a field where they say nothing; as it was where it has one or could not be read. A photo that
        cannot be read is a warning.
        """
        if product.error is not None or FIELD in product.fields:
            return product
        said: list[str] = []
        warnings: list[str] = []
        for number, source in enumerate(product.images[: self.photos], 1):
            try:
                odd: list[str] = []
                said += self.lines(decode_whole(source, self.side, told=odd))
                warnings += [f"photo {number}: {what}" for what in odd]
            except DataError as exc:
                warnings.append(f"photo {number} not read: {exc}")
        found = replace(product, warnings=(*product.warnings, *warnings))
        # Whatever was labelled in full, this text was not.
        return replace(found, fields={**product.fields, FIELD: "\n".join(said)}, complete=False) if said else found
