"""Several values of one product: each has a cell of its own, or one that platforms write several attributes to."""

from __future__ import annotations

import json

from attrex.io.dialects import Edit, open_dialect
from attrex.io.dialects.placing import place_values


def placed(path, text, filled, **options):
    path.write_text(text, encoding="utf-8")
    dialect = open_dialect(path)
    *_, item = dialect.items()
    found = place_values(dialect, item, filled, **options)
    return {key[0]: edit.value for (_, key), edit in found.edits.items()}, found.refused


def test_woocommerce_gives_each_attribute_a_number(tmp_path):
    head = "Type,SKU,Name,Attribute 1 name,Attribute 1 value(s),Attribute 2 name,Attribute 2 value(s)\n"
    values = {"Color": ["Red"], "Fit": ["Slim"], "Material": ["Wool"]}
    cells, refused = placed(tmp_path / "a.csv", head + "simple,A,Cap,,,,\n", values)
    assert cells == {
        "Attribute 1 name": "Color",
        "Attribute 1 value(s)": "Red",
        "Attribute 2 name": "Fit",
        "Attribute 2 value(s)": "Slim",
    }
    assert refused == {"Material": "it needs a new column 'Attribute 3 name', and none are asked for"}
    cells, refused = placed(tmp_path / "a.csv", head + "simple,A,Cap,,,,\n", values, new_columns=True)
    assert (cells["Attribute 3 name"], cells["Attribute 3 value(s)"], refused) == ("Material", "Wool", {})


def test_magento_joins_attributes_in_one_cell(tmp_path):
    text = 'sku,product_type,name,additional_attributes\nA,simple,Cap,"fit=Slim,color=Red"\nB,simple,Hat,\n'
    cells, refused = placed(tmp_path / "a.csv", text, {"Color": ["Red"], "Fit": ["Slim", "Long"]})
    assert (cells, refused) == ({"additional_attributes": "color=Red,fit=Slim|Long"}, {})


def test_prestashop_joins_features(tmp_path):
    text = "ID;Name;Feature (Name:Value:Position)\n1;Cap;\n"
    cells, _ = placed(tmp_path / "a.csv", text, {"Color": ["Red"], "Fit": ["Slim"]})
    assert cells == {"Feature (Name:Value:Position)": "Color:Red,Fit:Slim"}


def test_a_table_gets_new_columns_only_where_they_are_asked_for(tmp_path):
    text = "id,title,Color\n1,Cap,\n"
    assert placed(tmp_path / "a.csv", text, {"Color": ["Red"], "Fit": ["Slim"]}) == (
        {"Color": "Red"},
        {"Fit": "it needs a new column 'Fit', and none are asked for"},
    )
    assert placed(tmp_path / "a.csv", text, {"Fit": ["Slim"]}, new_columns=True) == ({"Fit": "Slim"}, {})


def test_new_entries_of_one_list_in_json_each_have_their_place(tmp_path):
    path = tmp_path / "products.json"
    own = {"@type": "PropertyValue", "name": "Finish", "value": "Matt"}
    product = {"@type": "Product", "sku": "A", "name": "Mug", "additionalProperty": [own]}
    path.write_text(json.dumps([product, {"@type": "Product", "sku": "B", "name": "Cup"}]), encoding="utf-8")
    dialect = open_dialect(path)
    mug, cup = dialect.items()
    values = {"Shape": ["Round"], "Capacity": ["0.3 l"]}
    entries = [{"@type": "PropertyValue", "name": name, "value": said[0]} for name, said in values.items()]
    assert list(place_values(dialect, mug, values).edits.values()) == [
        Edit(1, ("additionalProperty", 1), entries[0]),
        Edit(1, ("additionalProperty", 2), entries[1]),
    ]
    assert list(place_values(dialect, cup, {"Shape": ["Round"], "Finish": ["Matt"]}).edits.values()) == [
        Edit(2, ("additionalProperty",), [entries[0], own])
    ]


def test_two_attributes_never_meet_in_one_cell(tmp_path):
    text = '[{"sku": "A", "name": "Cap", "permalink": "", "attributes": [{"name": "Color", "options": []}]}]'
    cells, refused = placed(tmp_path / "a.json", text, {"Color": ["Red"], "color": ["Blue"], "Fit": ["Slim"]})
    assert refused == {"color": "another attribute is written there"}
    assert list(cells) == ["attributes"]


def test_what_a_product_has_from_its_parent_is_no_blank(tmp_path):
    text = "code;family;parent;color;name-en_US;size\nm;hats;;red;Cap;\nsku1;hats;m;;;\n"
    cells, refused = placed(tmp_path / "akeneo.csv", text, {"Color": ["Green"], "size": ["XL"]})
    assert (cells, refused) == ({"size": "XL"}, {"Color": "'color' is filled"})
