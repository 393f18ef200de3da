"""schema.org products in JSON-LD, as shops put them into their pages: one object, a list, a graph, or one a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from attrex.io.dialects.dialect import Dialect, Edit, Item, Key, NoPlace, Sample, find_name, marked, name_key
from attrex.io.dialects.json_records import Node, holds_nothing, list_of, refuse_filled, text_of
from attrex.io.dialects.languages import by_language, in_language, main_tag, texts_in_languages
from attrex.io.dialects.units import with_unit
from attrex.io.rows import RawRecord

_PRODUCTS = {"Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car"}
_CONTEXT = re.compile(r'"@(?:context|graph)"')
_TEXTS = {"title": "name", "description": "description", "disambiguating_description": "disambiguatingDescription"}
_PROPERTIES = (
    *("brand", "manufacturer", "model", "color", "material", "pattern", "size", "countryOfOrigin", "audience"),
    *("width", "height", "depth", "weight", "fuelType", "vehicleTransmission", "bodyType"),
)
_WRITTEN = ("brand", "color", "material", "pattern", "size")  #: of these the ones whose value is a text or a brand
_OTHER_PRODUCTS = {
    "isRelatedTo",
    "isSimilarTo",
    "isAccessoryOrSparePartFor",
    "isConsumableFor",
    "isVariantOf",
    "review",
}
_IDS = ("sku", "productID", "gtin", "gtin13", "gtin14", "gtin12", "gtin8", "mpn", "productGroupID", "@id", "url")
_DEPTH, _WORDS_DEPTH = 40, 4


@dataclass(slots=True)
class Survey:
    """What a file says of its own habits."""

    pointed_to: set[str] = field(default_factory=set)  #: by an ``@id`` alone
    languages: Counter[str] = field(default_factory=Counter)
    property_names: set[str] = field(default_factory=set)  #: what stands under additionalProperty, by name_key


class JsonLd(Dialect):
    """schema.org's Product and ProductGroup in JSON-LD.

    Stands on schema.org 29 (``data/ext/pending/issue-1797.ttl``: ProductGroup, hasVariant, variesBy) and on JSON-LD 1.1
    (``@graph``, ``@id``, ``@value`` with ``@language``), for what shops write and not for all that JSON-LD allows: a
    context other than schema.org's is not resolved.

    - ``additionalProperty`` is a list of PropertyValue: ``name``, ``value`` (one, several, or a QuantitativeValue),
      ``unitText`` or ``unitCode`` (UN/CEFACT). ``color``, ``material``, ``brand`` and others are properties themselves.
    - A variant of a ProductGroup has the group's texts, photos and properties, where it has none of its own.
    - ``{"@id": ...}`` stands for the object with that id.
    - Texts in several ``@language`` are one text in several languages.
    """

    name = "json-ld"
    title = "schema.org JSON-LD"

    @classmethod
    def recognises(cls, sample: Sample) -> bool:
        if isinstance(sample.first, Mapping) and any(True for _ in _walk(sample.first)):
            return True
        cut = sample.first is None and _CONTEXT.search(sample.text) is not None
        return cut and "schema.org" in sample.text and '"@type"' in sample.text

    @cached_property
    def survey(self) -> Survey:
        """What must be known of the whole file before one product is read."""
        survey = Survey()
        for row in self.records():
            for node in _objects(row.values):
                if _is_pointer(node):
                    survey.pointed_to.add(_own_id(node))
            for _, node in _walk(row.values):
                survey.languages.update(tag for tag, _ in _tagged(_get(node, "name")) if tag)
                survey.property_names |= {name_key(name) for _, name, _ in _property_values(node)}
        return survey

    @property
    def language(self) -> str:
        """The language that most names are in, where they say it."""
        return main_tag(self.survey.languages)

    @cached_property
    def named(self) -> dict[str, Mapping[str, Any]]:
        """The objects that others point to, by ``@id``."""
        found: dict[str, Mapping[str, Any]] = {}
        for row in self.records():
            for node in _objects(row.values):
                if _own_id(node) in self.survey.pointed_to and not _is_pointer(node):
                    found.setdefault(_own_id(node), node)
        return found

    def items(self) -> Iterator[Item]:
        for row in self.records():
            if row.error:
                yield marked(row)
                continue
            found = list(_walk(row.values))
            groups = self._groups(node for _, node in found)
            done: set[Any] = set()
            for path, node in found:
                own = _own_id(node) or id(node)
                if own not in done:
                    yield self._item(row, path, node, groups.get(id(node)) or groups.get(own))
                done.add(own)
            if not found:
                yield Item((row,), error="expected an object of @type Product, got none in the row; leave it out")

    def _groups(self, nodes: Iterable[Mapping[str, Any]]) -> dict[Any, Mapping[str, Any]]:
        """A variant, by what it is or by its ``@id`` -> its group: it stands in it, is named by it, or names it."""
        groups: dict[Any, Mapping[str, Any]] = {}
        for node in nodes:
            for variant in _variants(node):
                groups[_own_id(variant) or id(variant)] = node
            for group in map(self._whole, list_of(_get(node, "isVariantOf"))):
                if isinstance(group, Mapping):
                    groups[id(node)] = group
        return groups

    def _whole(self, value: Any) -> Any:
        """The object that an ``@id`` alone stands for."""
        return self.named.get(_own_id(value), value) if isinstance(value, Mapping) and _is_pointer(value) else value

    def _item(self, row: RawRecord, path: Key, node: Mapping[str, Any], group: Mapping[str, Any] | None) -> Item:
        sources = [node, *([group] if group else [])]
        texts: dict[str, str] = {}
        attributes: dict[str, list[str]] = {}
        for source in sources:
            named = [(name, _in_tags(_get(source, key))) for name, key in _TEXTS.items()]
            texts |= {k: v for k, v in texts_in_languages(named, self.language).items() if k not in texts}
            attributes |= {k: v for k, v in self._attributes(source).items() if find_name(k, attributes) is None}
        varied: dict[str, list[str]] = {}
        for variant in map(self._whole, _variants(node)):
            for name, values in self._attributes(variant).items():
                said = varied.setdefault(find_name(name, varied) or name, [])
                said += [v for v in values if v not in said]
        attributes |= {k: v for k, v in varied.items() if find_name(k, attributes) is None}
        images: list[str] = []
        for source in sources:
            images = images or [a for image in list_of(_get(source, "image")) if (a := self._address(image))]
        category = next((c for s in sources for c in self._words(_get(s, "category"))), None)
        head = group if group is not None else node if _get(node, "hasVariant") else None
        return Node(
            (row,),
            id=_first_id(node),
            texts=texts,
            html=frozenset(texts),
            attributes=attributes,
            images=list(dict.fromkeys(images)),
            category=category,
            group=(text_of(_get(head, "productGroupID")) or _first_id(head)) if head is not None else None,
            path=path,
            node=node,
        )

    def _attributes(self, node: Mapping[str, Any]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key in _PROPERTIES:
            if values := self._words(_get(node, key)):
                found[key] = values
        for _, name, entry in _property_values(node):
            values = self._measures(entry)
            key = find_name(name, found) or name
            if values:
                found[key] = [*found.get(key, ()), *(v for v in values if v not in found.get(key, ()))]
        return found

    def _measures(self, entry: Mapping[str, Any], depth: int = 0) -> list[str]:
        """A PropertyValue's or a QuantitativeValue's values, with their unit."""
        unit = text_of(_get(entry, "unitText")) or text_of(_get(entry, "unitCode"))
        values = self._words(_get(entry, "value"), depth)
        low, high = text_of(_get(entry, "minValue")), text_of(_get(entry, "maxValue"))
        if not values and (low or high):
            values = [f"{low}-{high}" if low and high else low or high]
        return [with_unit(value, unit) for value in values]

    def _words(self, value: Any, depth: int = 0) -> list[str]:
        """The values that a property's value says, in the language that is read."""
        tagged: list[tuple[str, str]] = []
        if depth > _WORDS_DEPTH:  # objects may point to each other in a circle
            return []
        for part in map(self._whole, list_of(value)):
            if not isinstance(part, Mapping):
                tagged.append(("", text_of(part)))
            elif "@value" in part:
                tagged.append((text_of(part.get("@language")), text_of(part["@value"])))
            elif _get(part, "value") is not None or _get(part, "minValue") is not None:
                tagged += [("", text) for text in self._measures(part, depth + 1)]
            else:
                names = [self._words(_get(part, key), depth + 1) for key in ("name", "suggestedGender", "audienceType")]
                tagged += [("", text) for text in next(filter(None, names), [])]
        said = by_language((tag, text) for tag, text in tagged if text)
        key = in_language(said, self.language)
        return [] if key is None else list(dict.fromkeys((*said[key], *(said.get("", ()) if key else ()))))

    def _address(self, value: Any) -> str:
        value = self._whole(value)
        if not isinstance(value, Mapping):
            return text_of(value)
        return text_of(_get(value, "contentUrl")) or text_of(_get(value, "url")) or text_of(value.get("@id"))

    def place(self, item: Item, attribute: str, values: Sequence[str]) -> list[Edit]:
        """A PropertyValue whose value is blank, else the property of this name, else a new PropertyValue.

        Where the file has the name under additionalProperty it goes there.
        """
        if not isinstance(item, Node):
            raise NoPlace("not an item of this file")
        number, node, path = item.rows[0].number, item.node, item.path
        written: Any = values[0] if len(values) == 1 else list(values)
        for keys, name, entry in _property_values(node):
            if name_key(name) == name_key(attribute):
                refuse_filled(item, name, (_get(entry, key) for key in ("value", "minValue", "maxValue")))
                if not (holds_nothing(_get(entry, "unitText")) and holds_nothing(_get(entry, "unitCode"))):
                    raise NoPlace(f"the property {name!r} has a unit and no value; enter it by hand")
                return [Edit(number, (*path, *keys, _key(entry, "value")), written)]
        if name_key(attribute) not in self.survey.property_names:
            if (key := find_name(attribute, _WRITTEN)) is not None:
                refuse_filled(item, key, [_get(node, key)])
                place = (*path, _key(node, key))
                if key != "brand":
                    return [Edit(number, place, written)]
                if len(values) > 1:
                    raise NoPlace(f"a product has one brand, got {len(values)}")
                return [Edit(number, (*place, "@type"), "Brand"), Edit(number, (*place, "name"), values[0])]
            if find_name(attribute, _PROPERTIES) is not None:
                raise NoPlace(f"{attribute!r} is an object of its own in schema.org; enter it by hand")
        refuse_filled(item, attribute)
        entry = {"@type": "PropertyValue", "name": attribute, "value": written}
        key, own = _key(node, "additionalProperty"), _get(node, "additionalProperty")
        if isinstance(own, list) and own:
            return [Edit(number, (*path, key, len(own)), entry)]
        if not holds_nothing(own):
            raise NoPlace("additionalProperty holds one object and no list; make a list of it")
        return [Edit(number, (*path, key), [entry])]


def _walk(value: Any, path: Key = (), is_variant: bool = False) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """(where, object) of the products in a row, groups before their variants, without what they only point to."""
    if len(path) > _DEPTH:
        return
    if isinstance(value, list):
        for n, part in enumerate(value):
            yield from _walk(part, (*path, n), is_variant)
    elif isinstance(value, Mapping):
        if (is_variant or _is_product(value)) and not _is_pointer(value):
            yield path, value
        for key, part in value.items():
            if isinstance(part, list | Mapping) and _local(key) not in _OTHER_PRODUCTS:
                yield from _walk(part, (*path, key), _local(key) == "hasVariant")


def _objects(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    for part in value if isinstance(value, list) else []:
        yield from _objects(part, depth + 1)


def _variants(group: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (v for v in list_of(_get(group, "hasVariant")) if isinstance(v, Mapping))


def _own_id(node: Mapping[str, Any]) -> str:
    own = node.get("@id")
    return own if isinstance(own, str) else ""


def _is_pointer(node: Mapping[str, Any]) -> bool:
    """Whether an object stands for the one with its ``@id``."""
    return set(node) <= {"@id", "@type"}


def _is_product(node: Mapping[str, Any]) -> bool:
    return bool(_types(node) & _PRODUCTS)


def _types(node: Mapping[str, Any]) -> set[str]:
    return {_local(kind) for kind in list_of(node.get("@type")) if isinstance(kind, str)}


def _local(name: str) -> str:
    """A name without the vocabulary that it is of: ``http://schema.org/Product``, ``schema:Product``."""
    return name.rstrip("/").rpartition("/")[2].rpartition("#")[2].rpartition(":")[2] if name[:1] != "@" else name


def _key(node: Mapping[str, Any], name: str) -> str:
    """A property's key as the object writes it."""
    return name if name in node else next((key for key in node if _local(key) == name), name)


def _get(node: Mapping[str, Any], name: str) -> Any:
    return node.get(_key(node, name))


def _property_values(node: Mapping[str, Any]) -> Iterator[tuple[Key, str, Mapping[str, Any]]]:
    """(where in the object, name, object) of its additional properties."""
    key, own = _key(node, "additionalProperty"), _get(node, "additionalProperty")
    for n, entry in enumerate(list_of(own)):
        if isinstance(entry, Mapping):
            names = [text for _, text in _tagged(_get(entry, "name"))]
            name = names[0] if names else _local(text_of(_get(entry, "propertyID")))
            if name:
                yield ((key, n) if isinstance(own, list) else (key,)), name, entry


def _in_tags(value: Any) -> dict[str, str]:
    said = by_language(_tagged(value))
    return {tag: "\n".join(texts) for tag, texts in said.items()}


def _tagged(value: Any) -> list[tuple[str, str]]:
    parts = [
        (text_of(p.get("@language")), text_of(p.get("@value"))) if isinstance(p, Mapping) else ("", text_of(p))
        for p in list_of(value)
    ]
    return [(tag, text) for tag, text in parts if text]


def _first_id(node: Mapping[str, Any]) -> str | None:
    return next((text for key in _IDS if (text := text_of(_get(node, key)))), None)
