"""Bring a model directory or an export of format 1 to format 2, in place: ``python -m attrex.tools.convert DIR ...``

Its schema becomes the shop's file; settings that no longer exist are left out of its configuration, if the model works
without them as it did. Weights and graphs are not touched. A kill leaves a directory that can be converted again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from attrex.config import Config
from attrex.errors import AttrexError, CheckpointError
from attrex.inference.directory import (
    EXPORT_FORMAT,
    MODEL_FORMAT,
    check_complete,
    named_after,
    read_json,
)
from attrex.io.atomic import write_json, write_text
from attrex.plain_yaml import load_plain, load_words
from attrex.shop.schema import Schema
from attrex.shop.shop import SHOP_FILE, Shop

OLD_FORMAT = 1
UNCHANGED_AT: dict[str, Any] = {
    "text.pad_mask": True,
    "image.region_layout": "spatial",
    "fusion.pad_mask": True,
    "range.no_attribute_class": False,
    "decoder.pad_tag": False,
    "decoder.continuation_tag": False,
}
"""Settings that are gone -> the value at which the model extracts as before."""
OF_TRAINING = frozenset(
    {
        "image.freeze_batchnorm",
        "fusion.trainable",
        "range.train_on",
        "range.prior_bias",
        "decoder.overlaps",
        "training.rounds",
        "training.round_agreement",
    }
)
"""Settings that are gone and say nothing about extraction."""
VALUES = {"range.unknown": {"weighted": "masked", "pu": "masked"}}
"""Settings of training with values that are gone -> the value that is nearest."""


def convert(directory: str | Path) -> bool:
    """Convert a directory; False: it has the present format already.

    Raises :class:`CheckpointError` for what is no model of format 1, or would extract other values than before.
    """
    directory = Path(directory)
    exported = (directory / "export.json").exists()
    about, expected = ("export.json", EXPORT_FORMAT) if exported else ("attrex.json", MODEL_FORMAT)
    check_complete(directory, (about, "config.yaml"))
    description = read_json(directory / about)
    if description.get("format") == expected:
        return False
    if description.get("format") != OLD_FORMAT:
        raise CheckpointError(
            f"{directory} has format {description.get('format')!r}; expected {OLD_FORMAT}, which is converted to "
            f"{expected}; upgrade"
        )
    check_complete(directory, ("schema.yaml",))
    with named_after(directory):
        config = _config((directory / "config.yaml").read_text(encoding="utf-8"))
        old_schema = (directory / "schema.yaml").read_text(encoding="utf-8")
        body = load_words(old_schema)
        shop = Shop(schema=Schema.from_plain(body["attributes"], body.get("categories")))
    write_text(directory / SHOP_FILE, shop.to_yaml())
    write_text(directory / "config.yaml", config.to_yaml())
    # So that a finished run is still known as itself: what was the schema's hash is the shop's.
    record = read_json(directory / "run.json") if (directory / "run.json").exists() else {}
    if record.pop("schema", None) == hashlib.sha256(old_schema.encode()).hexdigest():
        write_json(directory / "run.json", record | {"shop": hashlib.sha256(shop.to_yaml().encode()).hexdigest()})
    write_json(directory / about, description | {"format": expected})  # last: until then it is to be converted again
    (directory / "schema.yaml").unlink()
    return True


def _config(text: str) -> Config:
    """The configuration without the settings that are gone."""
    raw = load_plain(text)
    for section, field in Config.model_fields.items():
        kind, values = field.annotation, raw.get(section)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(values, dict)):
            continue
        for key, value in list(values.items()):
            name = f"{section}.{key}"
            values[key] = VALUES.get(name, {}).get(value, value) if name in VALUES else value
            if key in kind.model_fields:
                continue
            if name not in OF_TRAINING and (name not in UNCHANGED_AT or UNCHANGED_AT[name] != value):
                raise CheckpointError(
                    f"config.yaml has {name}: {value}, which no longer exists and changes what the model extracts; "
                    "use this model with the version that trained it, or train again"
                )
            del values[key]
    return Config.parse(raw)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="model directories or exports")
    for directory in parser.parse_args(arguments).directories:
        try:
            done = convert(directory)
        except AttrexError as exc:
            sys.exit(f"error: {exc}")
        print(f"{directory}: {'converted' if done else 'nothing to do'}")


if __name__ == "__main__":
    main()
