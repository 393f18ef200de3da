"""Which columns of a shop's file hold what."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import yaml

from attrex.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class ColumnMapping:
    """Which columns (JSON keys) hold what, and how table cells are to be read.

    A row with a ``fields`` object, as :func:`~attrex.io.products.write_products` writes it, has its texts there. What
    that writes is read by its own keys (:meth:`of_labelled_rows`): a mapping also fits what was made of a shop's file.
    Markers are compared without regard to case and surrounding space; ``absent`` goes before ``blank``; an empty list
    is known-absent.
    """

    id: str = "id"
    fields: tuple[str, ...] | None = (
        None  #: None: ``text`` where there is a spans column, else the TEXT_COLUMNS present
    )
    images: tuple[str, ...] | None = None  #: None: ``image`` and ``images``
    category: str = "category"
    table: str | None = "attributes"  #: a column that holds {attribute: value or values}, or pairs of these
    table_columns: tuple[str, ...] | None = None  #: columns that are one attribute each; ``("*",)``: all the others
    spans: str = "spans"
    group: str = "group"
    complete: bool = False  #: for rows that do not say ``complete`` themselves
    blank: tuple[str, ...] = ("", "NA", "N/A", "nan", "null", "none")  #: cells that say nothing
    absent: tuple[str, ...] = ()  #: cells that say: it has none
    separator: str | None = None  #: splits table cells that hold several values ("Blue / Red")
    html: tuple[str, ...] = ()  #: text columns that hold HTML: read without tags, offsets stay those of the file

    def of_labelled_rows(self) -> Self:
        """The same for rows that Attrex wrote from such a file: with its own keys, and the shop's texts and markers."""
        kept = {"fields", "complete", "blank", "absent", "separator"}
        return type(self)(**{f.name: getattr(self, f.name) for f in fields(self) if f.name in kept})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """From a YAML file of the names above, e.g. ``id: sku``. Raises :class:`ConfigError` that names the fault."""
        where = f"the column mapping {path}"
        try:
            options = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError, ValueError) as exc:  # ValueError: no UTF-8, or a date that is none
            raise ConfigError(f"{where} cannot be read as YAML: {exc}") from exc
        types = {f.name: str(f.type) for f in fields(cls)}
        if not isinstance(options, dict):
            raise ConfigError(f"{where} should map names such as {', '.join(list(types)[:4])} to columns")
        for key in options:
            if key not in types:
                hint = did_you_mean(str(key), types)
                raise ConfigError(f"{where}: unknown key {key!r}{hint} (known: {', '.join(types)})")
        return cls(**{key: _as_type(types[key], value, f"{where}: {key}") for key, value in options.items()})


def _as_type(kind: str, value: Any, where: str) -> Any:
    """A YAML value as one of the three types of a mapping: words, one word, true or false."""
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return tuple(items)
        expected = "a list of words (NO, null and numbers in quotes)"
    elif isinstance(value, bool if kind == "bool" else str):
        return value
    else:
        expected = "true or false" if kind == "bool" else "one word (numbers in quotes)"
    raise ConfigError(f"{where} should be {expected}, got {value!r}")
