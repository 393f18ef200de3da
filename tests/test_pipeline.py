"""The library's functions where a command does not reach them."""

from __future__ import annotations

from pathlib import Path

import attrex
from attrex.demo.catalogue import write_catalogue


def test_mine_is_known_by_its_text(tmp_path: Path):
    data = write_catalogue(tmp_path, train=12, valid=1, test=1, images=False)
    word = "".join(["mi", "ne"])  # a string of its own, as one from a file or a form is
    labelled = attrex.locate(data / "catalog.jsonl", shop=data / "shop.yaml", lexicon=word)
    assert labelled.lexicon.attributes
    assert any(p.spans for p in labelled)
