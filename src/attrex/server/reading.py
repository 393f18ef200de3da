"""Bodies to products: what is no product is refused or marked, and no client names a file of this machine."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from attrex.errors import DataError, did_you_mean, kind_of, short
from attrex.io.confinement import PhotoFolders
from attrex.io.fetch import FetchLimits, fetch
from attrex.io.images import ImageLoader
from attrex.io.photo_addresses import is_address
from attrex.io.rows import IMAGE_COLUMNS, record, shortlist, to_product
from attrex.server.bodies import FORM, LINES, Body, parse
from attrex.server.refusals import Refused
from attrex.server.settings import Limits, ServerSettings
from attrex.shop.shop import Shop
from attrex.types import Product

FETCH_SECONDS = 10.0
TOLD = 20  #: faults of a request that are told
Share = Annotated[float, Field(ge=0, le=1, strict=True)]


class Extraction(BaseModel):
    """What is asked for. Give `products`, or `product` for a single one."""

    model_config = ConfigDict(extra="forbid")

    products: list[Any] | None = Field(None, description="Rows with the shop's columns, or texts.")
    product: Any = Field(None, description="A single row, or a text.")
    attributes: list[StrictStr] | None = Field(None, description="Look for these only; default: the model chooses.")
    min_confidence: Share | None = Field(None, description="Leave out values with a lower confidence.")
    evidence: StrictBool = Field(False, description="Also say which regions of the photos were looked at.")
    photos: StrictBool = Field(True, description="False: read the texts only.")

    @property
    def rows(self) -> list[Any]:
        return [self.product] if self.products is None else self.products


class Filling(Extraction):
    """What is asked for. Give `products` with their table, or `product` for a single one."""

    min_confidence: Share | None = Field(None, description="Fill in values of at least this confidence; default: 0.5.")
    precision: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = Field(
        None, description="Share of what is filled in that has to be right, in place of min_confidence."
    )
    known_only: StrictBool = Field(False, description="Fill in only words that the shop has.")


@dataclass(frozen=True)
class Asked:
    """A request that was read: its options, and its products, of which some may be marked."""

    options: Extraction
    products: Sequence[Product]


@dataclass(frozen=True)
class Reader:
    """Reads requests for one model."""

    shop: Shop
    loader: ImageLoader | None  #: None: the model looks at no photos
    settings: ServerSettings

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    def read(self, body: Body, form: type[Extraction], query: Mapping[str, Any]) -> Asked:
        """Raises :class:`Refused` where anything of a JSON or multipart body is wrong; of lines each is marked.

        :param query: the options of lines, which have no place for them.
        """
        until = monotonic() + self.limits.answer_seconds
        if body.kind == LINES:
            return Asked(checked(form, dict(query)), list(self._lines(body.content, until)))
        asked = self._form(body, form) if body.kind == FORM else checked(form, parse(body.content, self.limits))
        if (asked.products is None) == (asked.product is None):
            raise Refused(422, "expected either products, a list of rows, or product, a single row")
        self._count(len(asked.rows))
        products = [self._product(number, row, until) for number, row in enumerate(asked.rows)]
        faults = [product.error for product in products if product.error]
        if faults:
            raise Refused(422, "; ".join(faults[:TOLD]))
        return Asked(asked, products)

    def _count(self, rows: int) -> None:
        if rows == 0:
            raise Refused(422, "expected at least one product, got none")
        if rows > self.limits.products:
            raise Refused(
                413, f"expected at most {self.limits.products} products in a request, got {rows}; send them in parts"
            )

    def _lines(self, content: bytes, until: float) -> Iterator[Product]:
        lines = [line for line in content.split(b"\n") if line.strip()]
        self._count(len(lines))
        for number, line in enumerate(lines):
            try:
                yield self._product(number, parse(line, self.limits, f"line {number + 1}"), until)
            except Refused as exc:
                yield Product(f"row-{number + 1}", {}, error=exc.detail)

    def _form(self, body: Body, form: type[Extraction]) -> Extraction:
        """The options and rows of a multipart body: its field ``request`` is what a JSON body would be.

        The files are the photos of the only product, or of those that name them: ``{"part": NAME}``.
        """
        for name in body.fields:
            if name != "request":
                raise Refused(422, f"expected the field 'request' and files in the form, got the field {short(name)}")
        if "request" not in body.fields:
            raise Refused(422, "expected a field 'request' in the form, which holds what a JSON body would be")
        asked = checked(form, parse(body.fields["request"], self.limits, "the field 'request'"))
        parts: dict[str, list[bytes]] = {}
        for name, content in body.files:
            parts.setdefault(name, []).append(content)
        column = self._photo_columns()[0]
        named: set[str] = set()
        rows = [_with_parts(row, self._photo_columns(), parts, named) for row in asked.rows]
        if not named and len(rows) == 1 and body.files:
            row = {"text": rows[0]} if isinstance(rows[0], str) else rows[0]
            if isinstance(row, Mapping):
                own = row.get(column)
                before = own if isinstance(own, list) else [] if own is None else [own]
                rows = [{**row, column: [*before, *(content for _, content in body.files)]}]
                named |= set(parts)
        for name in parts:
            if name not in named:
                raise Refused(422, f"expected a product with the photo {{'part': {short(name)}}}, but none has it")
        return asked.model_copy(update={"products": rows, "product": None})

    def _photo_columns(self) -> Sequence[str]:
        return self.shop.columns.images or IMAGE_COLUMNS

    def _product(self, number: int, row: Any, until: float) -> Product:
        """One row as a product, marked with its ``error`` where it cannot be read."""
        where = f"product {number + 1}"
        if isinstance(row, str):
            row = {"text": row} if self.shop.columns.texts is None else {self.shop.columns.texts[0]: row}
        raw = record(where, number + 1, row)
        try:
            if raw.values is not None:
                values = self._with_photos(raw.values, until)
                self._check_length(values)
                raw = replace(raw, values=values)
        except DataError as exc:
            raw = replace(raw, error=str(exc))
        return to_product(raw, self.shop, PhotoFolders([Path()], source=where))

    def _check_length(self, row: Mapping[str, Any]) -> None:
        """Of all that a row says, its table and names, too: each is searched and compared."""
        length = sum(_characters(value) for name, value in row.items() if name not in self._photo_columns())
        if length > self.limits.text:
            raise DataError(f"expected at most {self.limits.text:,} characters of text, got {length:,}; shorten it")

    def _with_photos(self, row: Mapping[str, Any], until: float) -> dict[str, Any]:
        """The row with the content of its photos, each of which can be read."""
        row, most = dict(row), self.limits.photos
        for column in self._photo_columns():
            if column not in row:
                continue
            cell = row.pop(column)
            items = [item for item in (cell if isinstance(cell, list) else [cell]) if item not in (None, "")]
            if len(items) > most:
                raise DataError(f"{column}: expected at most {most} photos of a product, got {len(items)}")
            photos = [self._photo(column, item, until) for item in items]
            if photos and self.loader is not None:
                row[column] = photos
        return row

    def _photo(self, column: str, item: Any, until: float) -> bytes:
        left = until - monotonic()
        if left <= 0:
            within = f"within {self.limits.answer_seconds:g} seconds"
            raise Refused(
                413,
                f"{column}: expected photos that are fetched and decoded {within}, got more; send fewer at once",
            )
        try:
            content = self._content(item, left)
            if self.loader is not None:
                self.loader.load(content)
        except DataError as exc:
            raise DataError(f"{column}: {exc}") from None
        return content

    def _content(self, item: Any, left: float) -> bytes:
        if isinstance(item, Mapping):
            item = item.get("bytes")
        if isinstance(item, bytes):
            return item
        if not isinstance(item, str):
            raise DataError(
                f"expected a photo in base64, or {{'bytes': its base64}}, got {kind_of(item)} {short(item)}"
            )
        head, comma, rest = item.partition(",")
        if comma and head.startswith("data:") and head.endswith(";base64"):
            item = rest
        elif is_address(item):
            return self._fetch(item, left)
        try:
            return base64.b64decode(item, validate=True)
        except (binascii.Error, ValueError):
            raise DataError(
                f"expected a photo in base64, got {short(item)}; no file of the service's machine is read"
            ) from None

    def _fetch(self, address: str, left: float) -> bytes:
        """A photo from the web, where that is allowed."""
        allowed = self.settings.photo_origins
        if not allowed:
            raise DataError("expected a photo in base64, got a web address; this service fetches none")
        return fetch(
            address,
            FetchLimits(
                max_bytes=min(FetchLimits().max_bytes, self.limits.body_bytes),
                max_pixels=self.limits.pixels,
                seconds=min(FETCH_SECONDS, left),
                allow_private=self.settings.allow_private_photos,
                origins=frozenset(allowed),
            ),
        )


def _characters(value: Any) -> int:
    """Of all texts in a value, and of the names of what is in it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(name)) + _characters(part) for name, part in value.items())
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def _with_parts(row: Any, columns: Sequence[str], parts: Mapping[str, Sequence[bytes]], named: set[str]) -> Any:
    """The row with the files of the form in place of their names."""
    if not isinstance(row, Mapping):
        return row
    row = dict(row)
    for column in columns:
        cell, items = row.get(column), list[Any]()
        for item in cell if isinstance(cell, list) else [cell]:
            if isinstance(item, Mapping) and "part" in item:
                name = item["part"]
                if not isinstance(name, str) or name not in parts:
                    raise Refused(422, f"expected a file of the form, {shortlist(parts)}, got the part {short(name)}")
                items += parts[name]
                named.add(name)
            else:
                items.append(item)
        if column in row:
            row[column] = items
    return row


def checked(form: type[BaseModel], content: Any) -> Any:
    """What a request says, as a form has it; raises :class:`Refused` that names each fault."""
    if not isinstance(content, Mapping):
        first = next(iter(form.model_fields), "nothing")
        raise Refused(422, f"expected an object with {first}, got {kind_of(content)} {short(content)}")
    try:
        return form.model_validate(content)
    except ValidationError as exc:
        known, told = list(form.model_fields), []
        for error in exc.errors(include_url=False)[:TOLD]:
            place = ".".join(map(str, error["loc"]))
            if error["type"] == "extra_forbidden":
                told.append(f"{short(place)}: expected one of {', '.join(known)}{did_you_mean(place, known)}")
            else:
                told.append(f"{place}: {error['msg']}, got {short(error['input'])}")
        raise Refused(422, "; ".join(told)) from None
