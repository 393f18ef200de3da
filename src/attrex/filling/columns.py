"""Which columns of a user's file an attribute's values are written to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from attrex.errors import DataError
from attrex.filling.writing import Destination
from attrex.io.cell_edits import Column, EditableFile
from attrex.io.rows import attribute_columns
from attrex.shop.schema import Attribute
from attrex.shop.shop import Shop


def name_key(name: str) -> str:
    """A name as names of columns and attributes are compared: ``shoe_size``, ``Shoe size`` and ``shoe-size``."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def columns_of_attributes(file: EditableFile, shop: Shop) -> dict[str, list[Column]]:
    """Attribute -> its columns in the file's order; in JSON also those inside of the object that holds a table."""
    found: dict[str, list[Column]] = {}
    for column, name in _attribute_cells(file, shop):
        if (attribute := shop.cells.attribute_of(name)) is not None:
            found.setdefault(attribute, []).append(column)
    return found


def _attribute_cells(file: EditableFile, shop: Shop) -> Iterable[tuple[Column, str]]:
    """The columns that are one attribute each, and their names."""
    whole = isinstance(shop.columns.attributes, str)
    names = set(attribute_columns(_top_names(file), shop.columns))
    tables = {column[0] for column in file.columns if isinstance(column, tuple) and len(column) > 1}
    for column, name in file.columns.items():
        top = column[0] if isinstance(column, tuple) else name
        inside = isinstance(column, tuple) and len(column) > 1
        if top in names and (inside or not (whole or top in tables)):
            yield column, name


def _top_names(file: EditableFile) -> list[str]:
    return [n for column, n in file.columns.items() if not isinstance(column, tuple) or len(column) == 1]


def with_spellings(shop: Shop, file: EditableFile, attributes: Iterable[str]) -> Shop:
    """The shop, where columns that are spelt otherwise than a known attribute (``color``, ``Color``) belong to it."""
    known = {name_key(name): name for name in attributes}
    own = set(columns_of_attributes(file, shop))
    others: dict[str, list[str]] = {}
    for _, column in _attribute_cells(file, shop):
        attribute, meant = shop.cells.attribute_of(column), known.get(name_key(column))
        if meant is not None and attribute in (None, column) and column != meant and meant not in own:
            others.setdefault(meant, []).append(column)
    if not others:
        return shop
    there = {a.name: a for a in shop.schema.attributes}
    for name, columns in others.items():
        before = there.get(name, Attribute(name))
        there[name] = replace(before, columns=(*(before.columns or (name,)), *columns))
        for column in columns:
            there.pop(column, None)
    return replace(shop, schema=replace(shop.schema, attributes=tuple(there.values())))


def new_column(file: EditableFile, shop: Shop, name: str, place: int) -> tuple[Column, str]:
    """The column that is added for an attribute, and its name, which no other column has."""
    taken = {name_key(n) for n in _top_names(file)}
    called = f"{name} (attribute)" if name_key(name) in taken else name
    column = file.new_column(called, place)
    if isinstance(column, tuple) and isinstance(shop.columns.attributes, str):
        objects = [c for c in file.columns if isinstance(c, tuple) and c[0] == shop.columns.attributes and len(c) > 1]
        if objects:
            return (shop.columns.attributes, name), name
    return column, called


def check_columns(name: str, unread: Iterable[str], attributes: Iterable[str]) -> None:
    """Raise where a column of an attribute is not read: its filled cells would be taken for blank.

    :param name: of the file, for the error.
    :param unread: columns of the file that the shop does not name.
    :param attributes: those that are known or were found.
    """
    known = {name_key(attribute) for attribute in attributes}
    missed = [column for column in unread if name_key(column) in known]
    if missed:
        named = ", ".join(missed)
        raise DataError(
            f"{name}: the table has columns of attributes that the shop does not read, {named}: their filled cells "
            f"would be taken for blank; name them in the shop file, columns: {{attributes: [{named}]}}"
        )


def check_destination(name: str, destination: Destination, unread: Iterable[str], finds: bool) -> None:
    """Raise where there are finds, and no column that they could be written to."""
    if finds and not destination.columns:
        raise DataError(
            f"{name}: expected columns that are attributes, got none, so that there is no cell to fill; name them in "
            f"the shop file, columns: {{attributes: [...]}} (columns that nothing reads: {', '.join(unread) or 'none'})"
            ", or ask for new columns (new_columns)"
        )
