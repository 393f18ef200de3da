"""BMEcat 1.2 and 2005: suppliers' catalogues in XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from attrex.io.dialects.dialect import Dialect, Edit, Item, NoPlace, Sample, marked, name_key
from attrex.io.dialects.languages import by_language, in_language, language, texts_in_languages
from attrex.io.dialects.units import with_unit
from attrex.io.dialects.xml_records import element_rows
from attrex.io.rows import RawRecord
from attrex.io.xml_cells import PRODUCTS, column_of, features_of
from attrex.io.xml_stream import Element

_ROOT = re.compile(r"<(?:[\w.-]+:)?BMECAT[\s>]")
_TEMPLATE, _VALUE, _UNIT = "CLASSIFICATION_SYSTEM_FEATURE_TEMPLATE", "ALLOWED_VALUE", "UNIT"
_NO_PHOTO = ("logo", "icon", "data_sheet", "safety_data_sheet", "thumbnail")
_PHOTO_CODES = ("MD01", "MD02", "MD20")  # product, similar product, product in use
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|gif|tiff?|bmp)(?:[?#]|$)", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MOST_VARIANTS = 200  #: of one product; its variants are all combinations of what it varies by


@dataclass(slots=True)
class Catalogue:
    """What the head of a file says of all its products."""

    language: str = ""
    photos: str = ""  #: where their addresses begin
    features: dict[str, str] = field(default_factory=dict)  #: FT_ID -> name
    values: dict[str, str] = field(default_factory=dict)  #: ALLOWED_VALUE_ID -> name
    units: dict[str, str] = field(default_factory=dict)  #: UNIT_ID -> symbol

    def read(self, element: Element) -> None:
        if element.name == "HEADER":
            languages = list(element.all("CATALOG", "LANGUAGE"))
            default = (e for e in languages if e.attributes.get("default", "").casefold() == "true")
            first = next(default, next(iter(languages), None))
            self.language = first.text.strip() if first else ""
            self.photos = element.words("CATALOG", "MIME_ROOT")
        elif element.name == _TEMPLATE:
            self.features[element.words("FT_ID")] = self.said(element.all("FT_NAME"))
        elif element.name == _VALUE:
            self.values[element.words("ALLOWED_VALUE_ID")] = self.said(element.all("ALLOWED_VALUE_NAME"))
        else:
            self.units[element.words("UNIT_ID")] = element.words("UNIT_SHORTNAME") or element.words("UNIT_CODE")

    def said(self, found: Iterable[Element]) -> str:
        """The first text in the language that is read."""
        return next(iter(self._all_said(found)), "")

    def _all_said(self, found: Iterable[Element]) -> list[str]:
        texts = by_language((e.attributes.get("lang", ""), e.text.strip()) for e in found if e.text.strip())
        tag = in_language(texts, self.language)
        return [] if tag is None else texts[tag]

    def name_of(self, feature: Element) -> str:
        template = feature.words("FT_IDREF")
        return self.said(feature.all("FNAME")) or self.features.get(template) or template

    def values_of(self, feature: Element) -> list[str]:
        """A feature's values with their unit; none where it says nothing."""
        values = self._all_said(feature.all("FVALUE"))
        values += [
            self.values.get(e.text.strip(), e.text.strip()) for e in feature.all("VALUE_IDREF") if not e.is_empty
        ]
        return [self.measure(value, feature) for value in values if value != "-"]

    def variants_of(self, feature: Element) -> list[tuple[str, str]]:
        """(value, what it adds to the product's number) of each variant."""
        return [
            (self.measure(self.said(variant.all("FVALUE")), feature), supplement)
            for variant in feature.all("VARIANTS", "VARIANT")
            if (supplement := variant.words("SUPPLIER_AID_SUPPLEMENT") or variant.words("SUPPLIER_PID_SUPPLEMENT"))
            and self.said(variant.all("FVALUE"))
        ]

    def measure(self, value: str, feature: Element) -> str:
        unit = feature.words("FUNIT")
        return with_unit(value, self.units.get(unit) or unit)


@dataclass(frozen=True, slots=True)
class _Product(Item):
    """A product and the features that its attributes are read from."""

    features: tuple[tuple[str, Element], ...] = ()  #: (name, FEATURE)
    language: str = ""


class BMEcat(Dialect):
    """A BMEcat catalogue.

    Stands on the specifications 1.2 (2001) and 2005 of BME e. V., and on the catalogues that olivere/bmecat (commits
    0976dd8 and cce2dc5) and HendrikReh/BMECatExplorer read and write:

    - ARTICLE with SUPPLIER_AID (1.2) and PRODUCT with SUPPLIER_PID (2005) are the same.
    - Several FVALUE of a FEATURE are several values; in 2005 those with different ``lang`` are one value in several
      languages. Read is that of the catalogue's LANGUAGE (``default="true"``, else the first).
    - FUNIT is a code of UN/ECE Recommendation 20, or of a UNIT in the catalogue. FT_IDREF and VALUE_IDREF name
      templates and allowed values at the head of the file.
    - FVALUE ``-`` says nothing; ETIM writes it where a value is not known or where there can be none.
    - VARIANTS make a product for each of their values: its number is the product's and SUPPLIER_AID_SUPPLEMENT.
    - MIME_SOURCE is relative to the catalogue's MIME_ROOT.

    Written are empty FVALUE, and an FVALUE behind FNAME where a FEATURE has none.
    """

    name = "bmecat"
    title = "a BMEcat catalogue"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        return _ROOT.search(sample.text.replace("\0", "")) is not None

    def items(self) -> Iterator[Item]:
        catalogue = Catalogue()
        for row, element in element_rows(self.sample.path, PRODUCTS, ("HEADER", _TEMPLATE, _VALUE, _UNIT)):
            if element is None:
                yield marked(row)
            elif element.name not in PRODUCTS:
                catalogue.read(element)
            elif element.attributes.get("mode") != "delete":
                yield from _items(row, element, catalogue)

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """The FVALUEs of a FEATURE that has none, or empty ones; in the language that is read, if it has languages."""
        if not isinstance(item, _Product):
            raise NoPlace("a variant has what its product has; fill the product's FEATURE")
        found = [(n, f) for n, (name, f) in enumerate(item.features) if name_key(name) == name_key(attribute)]
        if not found:
            raise NoPlace(f"the product has no FEATURE {attribute!r}; add one with an empty FVALUE")
        for place, feature in found:
            if not _is_filled(feature):
                unit = feature.words("FUNIT")
                texts = [_without_unit(value, unit) if unit else value for value in values]
                key = column_of(place, _lang_of(feature, item.language))
                return [Edit(item.rows[0].number, key, texts[0] if len(texts) == 1 else texts)]
        raise NoPlace(f"FEATURE {attribute!r} is filled")


def _is_filled(feature: Element) -> bool:
    said = [*feature.all("FVALUE"), *feature.all("VALUE_IDREF"), *feature.all("VARIANTS")]
    return any(not element.is_empty for element in said)


def _lang_of(feature: Element, main: str) -> str:
    """The language of a feature's values as its own FVALUE or FNAME write it; empty where they have none."""
    values = [e.attributes.get("lang", "") for e in feature.all("FVALUE")]
    tags = values or [e.attributes.get("lang", "") for e in feature.all("FNAME")]
    same = (tag for tag in tags if tag and language(tag) == language(main))
    return next(same, "" if "" in tags or not tags else main)


def _without_unit(value: str, unit: str) -> str:
    """The number of a measure in the unit that a FEATURE has beside its values."""
    symbol = with_unit("1", unit).removeprefix("1").strip()
    match = re.fullmatch(r"([+-]?\d+(?:[.,]\d+)?)\s*(.*)", value.strip())
    if not match or match[2].casefold() not in ("", symbol.casefold(), unit.casefold()):
        raise NoPlace(f"FUNIT is {unit!r} and the value is {value!r}; enter it in that unit")
    return match[1]


def _items(row: RawRecord, element: Element, catalogue: Catalogue) -> Iterator[Item]:
    details = element.first("ARTICLE_DETAILS") or element.first("PRODUCT_DETAILS") or element
    main = catalogue.language
    texts = texts_in_languages(
        [
            ("title", _in_languages(details.all("DESCRIPTION_SHORT"))),
            ("description", _in_languages(details.all("DESCRIPTION_LONG"))),
        ],
        main,
    )
    features = [(catalogue.name_of(feature), feature) for feature in features_of(element)]
    attributes: dict[str, list[str]] = {}
    varied: dict[str, list[tuple[str, str]]] = {}
    for name, feature in features:
        values = catalogue.values_of(feature)
        variants = catalogue.variants_of(feature)
        if not name or not (values or variants):
            continue
        if variants:
            varied[name] = variants
        found = attributes.setdefault(name, [])
        found += [v for v in (*values, *(value for value, _ in variants)) if v not in found]
    if maker := details.words("MANUFACTURER_NAME"):
        attributes.setdefault("Manufacturer", [maker])
    own_id = element.words("SUPPLIER_AID") or element.words("SUPPLIER_PID") or None
    group = next(iter(element.all("ARTICLE_FEATURES")), None) or element.first("PRODUCT_FEATURES")
    category = group and (group.words("REFERENCE_FEATURE_GROUP_NAME") or group.words("REFERENCE_FEATURE_GROUP_ID"))
    many = prod(len(variants) for variants in varied.values()) > _MOST_VARIANTS
    item = _Product(
        (row,),
        id=own_id,
        texts=texts,
        html=frozenset(texts),
        attributes=attributes,
        images=_photos(element, catalogue.photos),
        category=category or None,
        group=own_id if varied else None,
        warnings=(f"more than {_MOST_VARIANTS} variants; the product is read without them",) if many else (),
        features=tuple(features),
        language=main,
    )
    yield item
    if varied and not many:
        for combination in product(*varied.values()):
            own = {name: [value] for name, (value, _) in zip(varied, combination, strict=True)}
            number = (own_id or "") + "".join(supplement for _, supplement in combination)
            yield Item(
                (row,),
                id=number or None,
                texts=texts,
                html=item.html,
                attributes=attributes | own,
                images=item.images,
                category=item.category,
                group=own_id,
            )


def _in_languages(found: Iterator[Element]) -> Mapping[str, str]:
    said = by_language((e.attributes.get("lang", ""), e.text) for e in found if e.text.strip())
    return {tag: "\n".join(texts) for tag, texts in said.items()}


def _photos(element: Element, root: str) -> list[str]:
    """The product's pictures, without its documents and logos."""
    found = [
        mime.words("MIME_SOURCE")
        for mime in element.all("MIME_INFO", "MIME")
        if mime.words("MIME_PURPOSE") not in _NO_PHOTO
        and (mime.words("MIME_TYPE").startswith("image/") or _PICTURE.search(mime.words("MIME_SOURCE")))
    ]
    found += [
        mime.words("UDX.EDXF.MIME_SOURCE")
        for mime in element.all("USER_DEFINED_EXTENSIONS", "UDX.EDXF.MIME_INFO", "UDX.EDXF.MIME")
        if mime.words("UDX.EDXF.MIME_CODE") in _PHOTO_CODES
    ]
    return list(dict.fromkeys(_address(source, root) for source in found if source))


def _address(source: str, root: str) -> str:
    source = source if _ADDRESS.match(source) or not root else f"{root.rstrip('/' + chr(92))}/{source.lstrip('/')}"
    return source if _ADDRESS.match(source) else source.replace("\\", "/")
