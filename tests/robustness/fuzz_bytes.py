"""Fuzzing by atheris, which ``pip install atheris`` installs.

    python -m tests.robustness.fuzz_bytes table.csv -max_total_time=60

The names are those of ``targets.TARGETS``; what follows goes to libFuzzer.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["attrex"]):
    from tests.robustness.targets import TARGETS, try_bytes

SEEDS = {
    "jsonl": b'{"id": "1", "title": "Blue shoe", "attributes": {"Color": "Blue"}, "spans": []}\n',
    "json": b'[{"id": "1", "title": "Blue shoe"}]',
    "csv": b'id,title,Color\n1,"Blue; shoe",\n2,Red shoe,Red\n',
    "yaml": b"columns: {id: sku, texts: [title]}\nattributes: {Color: {options: [Blue], aliases: {Blue: [navy]}}}\n",
    "xml": b"<rss><channel><item><g:id>1</g:id><title>Blue</title></item></channel></rss>",
}


def main() -> None:
    name = sys.argv.pop(1)
    folder = Path(tempfile.mkdtemp())
    logging.disable()
    warnings.simplefilter("ignore")
    corpus = folder / "corpus"
    corpus.mkdir()
    kind = TARGETS[name][1].removesuffix(".gz")
    (corpus / "seed").write_bytes(SEEDS.get(kind, b""))
    if name == "values":
        seed = '{"id": "1", "values": [{"attribute": "Color", "value": "Blue", "confidence": 0.9, "source": null}]}\n'
        (corpus / "seed").write_text(seed)
    atheris.Setup(
        [*sys.argv, "-max_len=4096", "-rss_limit_mb=4096", "-timeout=60", str(corpus)],
        lambda data: try_bytes(name, data, folder),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
