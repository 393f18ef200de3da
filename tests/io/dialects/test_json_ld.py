"""schema.org JSON-LD: graphs, groups and variants, additional properties, and where a value is written."""

from __future__ import annotations

import json

import pytest

from attrex.io.dialects import Edit, NoPlace, open_dialect
from attrex.io.readers import read_products

GRAPH = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebPage", "name": "Caps"},
        {"@type": "Brand", "@id": "#norda", "name": "Norda"},
        {
            "@type": "ProductGroup",
            "@id": "#cap",
            "productGroupID": "CAP",
            "name": "Wool cap",
            "description": "<p>A cap of wool.</p>",
            "brand": {"@id": "#norda"},
            "image": {"@type": "ImageObject", "contentUrl": "cap.jpg"},
            "additionalProperty": {"@type": "PropertyValue", "name": "Material", "value": "Wool"},
            "hasVariant": [
                {
                    "@type": "Product",
                    "sku": "CAP-B",
                    "color": "Blue",
                    "size": {"@type": "SizeSpecification", "name": "M"},
                },
                {"@id": "#red"},
            ],
        },
        {"@type": "Product", "@id": "#red", "sku": "CAP-R", "name": "Red wool cap", "color": "Red", "image": "red.jpg"},
        {
            "@type": ["Product", "https://schema.org/Thing"],
            "sku": "MUG",
            "name": [{"@language": "en", "@value": "Mug"}, {"@language": "de", "@value": "Becher"}],
            "isRelatedTo": {"@type": "Product", "sku": "NOT-HERE", "name": "Saucer"},
            "material": [{"@language": "en", "@value": "Clay"}, {"@language": "de", "@value": "Ton"}],
            "weight": {"@type": "QuantitativeValue", "value": 300, "unitCode": "GRM"},
            "additionalProperty": [
                {"@type": "PropertyValue", "name": "Capacity", "value": 0.3, "unitText": "l"},
                {"@type": "PropertyValue", "name": "Height", "minValue": 9, "maxValue": 10, "unitCode": "CMT"},
                {"@type": "PropertyValue", "name": "Finish", "value": ["Matt", "Glazed"]},
                {"@type": "PropertyValue", "name": "Dishwasher", "value": ""},
            ],
        },
    ],
}


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "products.json"
    path.write_text(json.dumps(GRAPH), encoding="utf-8")
    return path


def test_products_of_a_graph_are_found_and_those_they_only_point_to_are_not(export):
    assert [p.id for p in read_products(export)] == ["CAP", "CAP-B", "CAP-R", "MUG"]


def test_a_variant_has_what_its_group_has_and_its_own_before_it(export):
    cap, blue, red, _ = read_products(export)
    assert cap.table == {"brand": ("Norda",), "Material": ("Wool",), "color": ("Blue", "Red"), "size": ("M",)}
    assert blue.table == {"color": ("Blue",), "size": ("M",), "brand": ("Norda",), "Material": ("Wool",)}
    assert red.table == {"color": ("Red",), "brand": ("Norda",), "Material": ("Wool",)}
    assert (blue.fields["title"], red.fields["title"]) == ("Wool cap", "Red wool cap")
    assert blue.fields["description"].strip() == red.fields["description"].strip() == "A cap of wool."
    assert (blue.images, red.images) == ((export.parent / "cap.jpg",), (export.parent / "red.jpg",))
    assert cap.group == blue.group == red.group == "CAP"


def test_additional_properties_are_attributes_with_their_unit(export):
    *_, mug = read_products(export)
    assert mug.table == {
        "material": ("Clay",),  # said in two languages, one value
        "weight": ("300 g",),
        "Capacity": ("0.3 l",),
        "Height": ("9-10 cm",),
        "Finish": ("Matt", "Glazed"),
    }
    assert mug.fields == {"title": "Mug", "title-de": "Becher"}


def test_a_value_goes_where_the_file_has_its_name(export):
    dialect = open_dialect(export)
    cap, blue, red, mug = dialect.items()
    mug_path = ("@graph", 4)
    assert dialect.place(mug, "dishwasher", ["Yes"]) == [Edit(1, (*mug_path, "additionalProperty", 3, "value"), "Yes")]
    assert dialect.place(mug, "Color", ["White"]) == [Edit(1, (*mug_path, "color"), "White")]
    assert dialect.place(mug, "brand", ["Norda"]) == [
        Edit(1, (*mug_path, "brand", "@type"), "Brand"),
        Edit(1, (*mug_path, "brand", "name"), "Norda"),
    ]
    assert dialect.place(mug, "Shape", ["Round", "Flat"]) == [
        Edit(
            1,
            (*mug_path, "additionalProperty", 4),
            {"@type": "PropertyValue", "name": "Shape", "value": ["Round", "Flat"]},
        )
    ]
    assert dialect.place(blue, "pattern", ["Plain"]) == [Edit(1, ("@graph", 2, "hasVariant", 0, "pattern"), "Plain")]
    assert dialect.place(red, "Finish", ["Matt"]) == [  # the file has it under additionalProperty
        Edit(1, ("@graph", 3, "additionalProperty"), [{"@type": "PropertyValue", "name": "Finish", "value": "Matt"}])
    ]
    with pytest.raises(NoPlace, match="one object and no list"):
        dialect.place(cap, "Shape", ["Round"])
    with pytest.raises(NoPlace, match="'Finish' is filled"):
        dialect.place(mug, "Finish", ["Satin"])


def test_names_with_their_vocabulary_are_the_same_names(tmp_path):
    path = tmp_path / "one.jsonl"
    row = {
        "@type": "http://schema.org/Product",
        "schema:sku": "A",
        "schema:name": "Cap",
        "http://schema.org/color": "Blue",
    }
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (cap,) = read_products(path)
    assert (cap.id, cap.fields, cap.table) == ("A", {"title": "Cap"}, {"color": ("Blue",)})


def test_objects_that_point_to_each_other_in_a_circle_end(tmp_path):
    path = tmp_path / "circle.json"
    graph = [
        {"@type": "Brand", "@id": "#a", "name": {"@id": "#b"}},
        {"@type": "Brand", "@id": "#b", "name": {"@id": "#a"}},
        {"@type": "Product", "sku": "A", "name": "Cap", "brand": {"@id": "#a"}},
    ]
    path.write_text(json.dumps({"@context": "https://schema.org", "@graph": graph}), encoding="utf-8")
    (cap,) = read_products(path)
    assert cap.table == {}


def test_a_large_graph_is_recognised_by_its_beginning(tmp_path):
    path = tmp_path / "large.json"
    products = [{"@type": "Product", "sku": str(n), "name": f"Cap {n}", "color": "Blue"} for n in range(3000)]
    path.write_text(json.dumps({"@context": "https://schema.org", "@graph": products}), encoding="utf-8")
    assert open_dialect(path).name == "json-ld"
    assert sum(1 for _ in read_products(path)) == 3000
