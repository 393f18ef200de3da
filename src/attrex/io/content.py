"""What a result was made of, as a hash: ids stay when texts, models and thresholds change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrex.types import ImageSource, Product

_OF_A_MODEL = ("*.json", "*.yaml", "*.safetensors", "*.onnx", "tokenizer/tokenizer.json")
_NOT_OF_A_MODEL = ("run.json", "metrics.json")


def product_hash(product: Product, *without: str) -> str:
    """The hash of what is read of a product: its texts, without some fields, its category and which photos it has."""
    texts = [(name, text) for name, text in product.fields.items() if name not in without]
    return _hash(texts, product.category, [_photo(image) for image in product.images], product.error)


def _photo(image: ImageSource) -> str:
    return _digest(image) if isinstance(image, bytes) else image.name


def row_hash(content: str, options: Mapping[str, Any]) -> str:
    """The hash of a row: of its product and of what else it depends on."""
    return _hash(content, sorted(options.items()))


def model_hash(directory: Path) -> str:
    """The hash of what a model or an export extracts with: weights, settings, thresholds, words."""
    files = sorted({path for pattern in _OF_A_MODEL for path in directory.glob(pattern)})
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        if path.name not in _NOT_OF_A_MODEL and path.is_file():
            digest.update(path.relative_to(directory).as_posix().encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _hash(*parts: Any) -> str:
    return _digest(json.dumps(parts, ensure_ascii=True, default=str).encode())


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
