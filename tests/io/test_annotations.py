from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import attrex
from attrex.errors import ConfigError, DataError
from attrex.io.annotations.documents import AnnotationReport
from attrex.io.annotations.files import FORMATS, format_of, read_annotations, write_annotations
from attrex.io.annotations.spans import boundaries, in_units
from attrex.types import Product, Span

TEXT = "🎸 Guitar, mahogany body"  # the emoji is one character, two UTF-16 units
MAHOGANY = (10, 18)


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def said(product: Product) -> list[tuple[str, str]] | None:
    return None if product.spans is None else [(s.attribute, s.text) for s in product.spans]


def one(path: Path, **options: Any) -> tuple[Product, AnnotationReport]:
    report = AnnotationReport()
    [product] = read_annotations(path, report=report, **options)
    return product, report


def task(start: int, end: int, text: str, *labels: str, **annotation: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": list(labels)}
    result = [{"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": value}]
    return {"id": 7, "data": {"text": TEXT}, "annotations": [{"id": 1, "result": result, **annotation}]}


# --- each format, as its tool writes it ---------------------------------------------------------------------------


def test_label_studio_counts_utf16_units_and_says_its_words(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.json", [task(11, 19, "mahogany", "Body", "Back")])
    product, report = one(path)
    assert (product.id, said(product)) == ("7", [("Body", "mahogany"), ("Back", "mahogany")])
    assert [(s.start, s.end) for s in product.spans or ()] == [MAHOGANY, MAHOGANY]
    assert (report.counts["overlapping"], product.complete) == (1, False)


def test_label_studio_offsets_in_characters_are_recognised_by_the_words(tmp_path: Path) -> None:
    product, report = one(lines(tmp_path / "a.json", [task(10, 18, "mahogany", "Body")]))
    assert said(product) == [("Body", "mahogany")]
    assert report.units == {"characters": 1}


def test_a_task_that_was_skipped_or_not_looked_at_has_no_labels(tmp_path: Path) -> None:
    skipped, untouched = task(11, 19, "mahogany", "Body", was_cancelled=True), task(11, 19, "mahogany", "Body")
    untouched.update(id=8, annotations=[])
    empty = {"id": 9, "data": {"text": TEXT}, "annotations": [{"id": 1, "result": []}]}
    found = read_annotations(lines(tmp_path / "a.json", [skipped, untouched, empty]), complete=True)
    assert [p.spans for p in found] == [None, None, ()]
    assert [p.complete for p in found] == [False, False, True]


def test_of_two_peoples_answers_the_ground_truth_counts(tmp_path: Path) -> None:
    row = task(11, 19, "mahogany", "Body", ground_truth=True)
    row["annotations"].append({"id": 2, "result": []})
    product, _ = one(lines(tmp_path / "a.json", [row]))
    assert said(product) == [("Body", "mahogany")]
    assert product.warnings == ("2 people have annotated this text; the last answer is read",)


def test_label_studios_short_form(tmp_path: Path) -> None:
    label = [{"start": 11, "end": 19, "text": "mahogany", "labels": ["Body"]}]
    assert said(one(lines(tmp_path / "a.json", [{"id": 1, "text": TEXT, "label": label}]))[0]) == [("Body", "mahogany")]


@pytest.mark.parametrize(
    "labels",
    [
        {"label": [[11, 19, "Body"]]},
        {"entities": [{"id": 1, "label": "Body", "start_offset": 11, "end_offset": 19}], "relations": []},
    ],
)
def test_doccano_counts_utf16_units(tmp_path: Path, labels: dict[str, Any]) -> None:
    product, report = one(lines(tmp_path / "a.jsonl", {"id": 3, "text": TEXT, **labels}))
    assert (product.id, said(product)) == ("3", [("Body", "mahogany")])
    assert report.remarks == [
        "offsets are counted in utf-16: of 1 marks behind an emoji or a line end, 1 are whole words then "
        "(0 as characters, 1 as utf-16+lf, 0 as characters+lf); say otherwise with offsets"
    ]


def test_doccano_offsets_in_characters_are_recognised_by_whole_words(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"text": TEXT, "label": [[10, 18, "Body"]]})
    assert said(one(path)[0]) == [("Body", "mahogany")]
    assert said(one(path, offsets="utf-16")[0]) == [("Body", "mahogany")]  # " mahogan", trimmed and widened


def argilla(status: Any, **more: Any) -> dict[str, Any]:
    value = [{"label": "Body", "start": 11, "end": 19}]
    responses = {"spans.responses": [value], "spans.responses.users": ["u"], "spans.responses.status": status}
    return {"id": "r", "status": "completed", "_server_id": "s", "text": TEXT, **responses, **more}


def test_argilla_counts_submitted_answers(tmp_path: Path) -> None:
    assert said(one(lines(tmp_path / "a.json", [argilla(["submitted"])]))[0]) == [("Body", "mahogany")]
    product, report = one(lines(tmp_path / "b.json", [argilla(["draft"])]))
    assert (product.spans, product.warnings) == (None, ("its answers in Argilla are draft",))
    assert report.skipped == {"its answers in Argilla are draft": 1}


@pytest.mark.parametrize(
    "row",
    [
        argilla([None]),
        argilla(None),
        {
            "id": "r",
            "fields": {"text": TEXT},
            "metadata": {},
            "suggestions": {},
            "responses": {"spans": [{"value": [{"label": "Body", "start": 11, "end": 19}], "user_id": "u"}]},
        },
    ],
)
def test_argillas_answers_without_a_status_are_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"item 1: expected the status of each answer .*to_list\(flatten=True\)"):
        read_annotations(lines(tmp_path / "a.json", [row]))


def test_prodigy_counts_characters_and_only_what_was_accepted(tmp_path: Path) -> None:
    row = {"text": TEXT, "spans": [{"start": 10, "end": 18, "label": "Body"}], "_input_hash": 1}
    path = lines(tmp_path / "a.jsonl", *({**row, "answer": answer} for answer in ("accept", "reject", "ignore")))
    found = read_annotations(path)
    assert [said(p) for p in found] == [[("Body", "mahogany")], None, None]
    assert [p.warnings for p in found[1:]] == [
        ("its answer in Prodigy is 'reject'",),
        ("its answer in Prodigy is 'ignore'",),
    ]


def brat(folder: Path, text: bytes, ann: str | None) -> Path:
    folder.mkdir()
    (folder / "doc.txt").write_bytes(text)
    if ann is not None:
        (folder / "doc.ann").write_text(ann, encoding="utf-8")
    return folder


def test_brat_counts_a_line_end_as_one(tmp_path: Path) -> None:
    ann = "T1\tBody 8 16\tmahogany\nA1\tSure T1\n#1\tAnnotatorNotes T1\tMahogany\n"
    product, report = one(brat(tmp_path / "b", b"Guitar,\r\nmahogany body", ann))
    assert (product.id, said(product), product.fields["text"][7:9]) == ("doc", [("Body", "mahogany")], "\r\n")
    assert [s.value for s in product.spans or ()] == ["Mahogany"]
    assert report.units == {}


def test_brats_pieces_are_spans_of_their_own_and_a_text_without_file_was_not_looked_at(tmp_path: Path) -> None:
    product, _ = one(brat(tmp_path / "b", b"red and blue wool", "T1\tColor 0 3;8 12\tred blue\n"))
    assert said(product) == [("Color", "red"), ("Color", "blue")]
    assert product.warnings == ("Color: the 2 pieces of 'red blue' are a span each",)
    assert one(brat(tmp_path / "c", b"red", None), kind="brat")[0].spans is None


def test_spacys_entities_and_span_groups(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy", reason="pip install 'attrex[spacy]'")
    nlp = spacy.blank("en")
    doc, plain = nlp(TEXT), nlp("Nothing")
    doc.ents = [doc.char_span(10, 18, label="Body")]
    doc.spans["sc"] = [doc.char_span(10, 18, label="Back"), doc.char_span(10, 23, label="Part")]
    spacy.tokens.DocBin(docs=[doc, plain]).to_disk(tmp_path / "a.spacy")
    first, second = read_annotations(tmp_path / "a.spacy")
    assert said(first) == [("Body", "mahogany"), ("Back", "mahogany"), ("Part", "mahogany body")]
    assert second.spans is None


# --- what is mended, and what is told -----------------------------------------------------------------------------


def test_spans_are_trimmed_and_take_whole_words(tmp_path: Path) -> None:
    spans = [{"start": 9, "end": 19, "label": "Body"}, {"start": 12, "end": 15, "label": "Back"}]
    product, report = one(lines(tmp_path / "a.jsonl", {"text": TEXT, "spans": spans, "answer": "accept"}))
    assert said(product) == [("Body", "mahogany"), ("Back", "mahogany")]
    assert (report.counts["trimmed"], report.counts["widened"]) == (1, 1)
    assert product.warnings == ("1 spans trimmed of spaces", "1 spans widened to whole words")


def test_a_span_elsewhere_moves_to_the_only_place_that_says_its_words(tmp_path: Path) -> None:
    product, report = one(lines(tmp_path / "a.json", [task(0, 8, "mahogany", "Body")]))
    assert (said(product), report.counts["moved"]) == ([("Body", "mahogany")], 1)


def test_labels_that_are_nowhere_never_become_no_labels(tmp_path: Path) -> None:
    product, report = one(lines(tmp_path / "a.json", [task(0, 5, "maple", "Body")]), complete=True)
    assert (product.spans, product.complete, report.counts["lost"]) == (None, False, 1)
    assert "expected 'maple' at 0:5" in product.warnings[0]
    path = lines(tmp_path / "b.jsonl", {"text": "Red", "label": [[0, 3, "Color"], [5, 9, "Color"]]})
    product, _ = one(path, complete=True)
    assert (said(product), product.complete) == ([("Color", "Red")], False)


@pytest.mark.parametrize(
    ("text", "way", "offset", "character"),
    [
        ("🎸a", "utf-16", 2, 1),
        ("🎸a", "bytes", 4, 1),
        ("\r\na", "characters+lf", 1, 2),
        ("é🎸\r\na", "utf-16+lf", 4, 4),
    ],
)
def test_ways_to_count(text: str, way: str, offset: int, character: int) -> None:
    assert boundaries(text, way)[offset] == character
    assert in_units(text, character, way) == offset


# --- out, and back ------------------------------------------------------------------------------------------------


PRODUCTS = [
    Product(
        "a/1",
        {"title": TEXT, "text": "Wash\r\nat 30 °C 🧺, wool  blend"},
        spans=(
            Span("Body Material", 10, 18, "mahogany", "title", "Mahogany"),
            Span("Back", 10, 18, "mahogany", "title"),
            Span("Part", 10, 23, "mahogany body", "title"),
            Span("Care", 0, 14, "Wash\r\nat 30 °C", "text"),
            Span("Material", 18, 22, "wool", "text"),
        ),
    ),
    Product("ü 2", {"text": "Plain"}, spans=()),
    Product("3", {"text": "Not looked at"}),
]


@pytest.mark.parametrize("kind", [k for k in FORMATS if k != "argilla"])
def test_what_is_written_is_read_again(tmp_path: Path, kind: str) -> None:
    if kind == "spacy":
        pytest.importorskip("spacy", reason="pip install 'attrex[spacy]'")
    path = tmp_path / f"out{FORMATS[kind].suffixes[0]}"
    write_annotations(path, PRODUCTS, kind)
    assert format_of(path) == kind
    back = {p.id: p for p in read_annotations(path, kind=kind)}
    assert list(back) == [p.id for p in PRODUCTS] or kind == "brat"
    for product in PRODUCTS:
        found = back[product.id]
        assert dict(found.fields) == dict(product.fields)
        keeps_values = kind != "doccano"
        wanted = {(s.key, s.value if keeps_values else None) for s in product.spans or ()}
        assert {(s.key, s.value) for s in found.spans or ()} == wanted
        assert (found.spans is None) == (product.spans is None)


def test_argilla_gets_suggestions_in_the_units_of_its_page(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.json", PRODUCTS[:1], "argilla")
    record = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))[0]
    assert record["fields"] == {"text": TEXT}
    assert record["suggestions"]["spans"]["value"][0] == {"label": "Body Material", "start": 11, "end": 19}


def test_the_annotated_products_get_the_labels_and_keep_table_and_photos(tmp_path: Path) -> None:
    rows = [{"id": "7", "text": TEXT, "attributes": {"Body": ["Mahogany"]}}, {"id": "8", "text": "Other"}]
    export = lines(tmp_path / "a.json", [task(11, 19, "mahogany", "Body")])
    out = tmp_path / "labelled.jsonl"
    report = attrex.convert(export, out, products=lines(tmp_path / "p.jsonl", *rows), complete=True)
    first, second = attrex.read_products(out)
    assert (said(first), first.table, first.complete) == ([("Body", "mahogany")], {"Body": ("Mahogany",)}, True)
    assert (second.spans, report.summary()) == (None, "1 spans in 1 texts")
    with pytest.raises(DataError, match="'7': expected the annotated text in 'text', got another one"):
        attrex.convert(export, out, products=[{"id": "7", "text": "Other"}])


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    plain = lines(tmp_path / "p.jsonl", {"id": 1, "text": "Red"})
    with pytest.raises(DataError, match=r"expected annotations of label-studio, doccano, .* name its format"):
        attrex.convert(plain, tmp_path / "out.jsonl")
    with pytest.raises(ConfigError, match=r"no annotation format 'docano'; there are .*; did you mean 'doccano'"):
        attrex.convert(plain, tmp_path / "out.jsonl", to="docano")
    with pytest.raises(ConfigError, match=r"offsets should be one of characters, utf-16, bytes, .* not 'utf16'"):
        attrex.convert(lines(tmp_path / "a.json", [task(0, 1, "x", "Y")]), tmp_path / "o.jsonl", offsets="utf16")
    with pytest.raises(DataError, match=r"out should end in .json for Label Studio, got 'out.jsonl'"):
        attrex.convert(plain, tmp_path / "out.jsonl", to="label-studio")
    with pytest.raises(DataError, match=r"line 1: expected a label as \[start, end, name\], got \[1, 2\]"):
        read_annotations(lines(tmp_path / "d.jsonl", {"text": "Red", "label": [[1, 2]]}), kind="doccano")


# --- facts of the tools' own packages (docstrings name the versions) ------------------------------------------------


def test_of_several_questions_of_argilla_only_spans_count(tmp_path: Path) -> None:
    more = {"tags.responses": [[]], "tags.responses.status": ["submitted"], "note.responses": None}
    assert said(one(lines(tmp_path / "a.json", [argilla(["submitted"], **more)]))[0]) == [("Body", "mahogany")]


def test_json_min_has_regions_under_the_controls_name_and_a_row_for_each_answer(tmp_path: Path) -> None:
    def row(answer: int | None, **more: Any) -> dict[str, Any]:
        day = None if answer is None else f"2026-01-0{answer}"
        row = {"product": "7", "title": TEXT, "text": "A guitar", "id": 1, "annotator": answer}
        return {**row, "annotation_id": answer, "created_at": day, "updated_at": day, **more}

    body = [{"start": 11, "end": 19, "text": "mahogany", "labels": ["Body"]}]
    answers = [row(2, material=body, value="Mahogany"), row(1)]
    product, report = one(lines(tmp_path / "a.json", answers))
    assert [(s.attribute, s.field, s.text) for s in product.spans or ()] == [("Body", "title", "mahogany")]
    assert (dict(product.fields), report.counts["lost"]) == ({"title": TEXT, "text": "A guitar"}, 0)
    assert product.warnings == ("2 people have annotated this text; the last answer is read",)
    assert one(lines(tmp_path / "b.json", [row(1)]))[0].spans == ()
    assert one(lines(tmp_path / "c.json", [row(None)]))[0].spans is None


def test_label_studios_page_writes_a_line_end_as_backslash_n(tmp_path: Path) -> None:
    row = task(0, 9, "Wash\\nwarm", "Care")
    row["data"]["text"] = "Wash\nwarm, wash\\warm"
    product, report = one(lines(tmp_path / "a.json", [row]))
    assert (said(product), report.counts["moved"]) == ([("Care", "Wash\nwarm")], 0)


def test_a_text_without_labels_was_looked_at_only_where_the_file_says_so(tmp_path: Path) -> None:
    """doccano exports both alike, metadata that other rows have as null; brat needs an .ann file to open a text."""
    path = lines(tmp_path / "a.jsonl", {"id": 3, "product": None, "field": None, "text": TEXT, "label": []})
    product, report = one(path, kind="doccano")
    assert (product.id, tuple(product.fields), product.spans) == ("3", ("text",), None)
    assert "it has no labels, as a text has that nobody has looked at" in report.summary()
    folder = brat(tmp_path / "b", b"red", "")
    assert one(folder)[0].spans is None
    assert [one(p, kind=k, complete=True)[0].spans for p, k in ((path, "doccano"), (folder, "brat"))] == [(), ()]


def test_of_several_peoples_answers_in_prodigy_the_last_accepted_one_is_read(tmp_path: Path) -> None:
    def row(time: int, label: str, answer: str = "accept", view: str = "ner_manual") -> dict[str, Any]:
        spans = [{"start": 10, "end": 18, "label": label}]
        return {"text": TEXT, "spans": spans, "_input_hash": 1, "_view_id": view, "_timestamp": time, "answer": answer}

    rows = (row(2, "Back"), row(1, "Body"), row(3, "Neck", "reject"))
    product, _ = one(lines(tmp_path / "a.jsonl", *rows))
    assert (said(product), product.warnings) == (
        [("Back", "mahogany")],
        ("3 people have answered; the last accepted answer is read",),
    )
    one_by_one = (row(1, "Body", view="ner"), row(2, "Back", view="ner"), row(3, "Neck", "reject", "ner"))
    assert said(one(lines(tmp_path / "b.jsonl", *one_by_one))[0]) == [("Body", "mahogany"), ("Back", "mahogany")]


def test_prodigys_tokens_are_the_whole_text(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.jsonl", PRODUCTS[:1], "prodigy")
    for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert "".join(t["text"] + " " * t["ws"] for t in row["tokens"]) == row["text"]


def test_brats_texts_have_line_ends_of_one_character_and_labels_of_ascii(tmp_path: Path) -> None:
    spans = (Span("Größe (EU)", 5, 8, "red", "text"), Span("Gr e_EU_", 5, 8, "red", "text"))
    write_annotations(tmp_path / "b", [Product("1", {"text": "Hat\r\nred"}, spans=spans)], "brat")
    assert (tmp_path / "b/1@text@crlf.txt").read_bytes() == b"Hat\nred"
    assert (tmp_path / "b/1@text@crlf.ann").read_text() == "T1\tGr_e_EU_ 4 7\tred\nT2\tGr_e_EU__2 4 7\tred\n"
    assert read_annotations(tmp_path / "b")[0].spans == spans


def test_doccano_is_told_to_keep_overlapping_spans(tmp_path: Path) -> None:
    report = write_annotations(tmp_path / "a.jsonl", PRODUCTS[:1], "doccano")
    assert report.remarks[0].startswith("2 spans overlap another one; allow overlapping spans in the project")


def test_spaces_at_a_spans_edges_are_not_written(tmp_path: Path) -> None:
    product = Product("1", {"text": "red wool"}, spans=(Span("Color", 0, 4, "red ", "text"),))
    report = write_annotations(tmp_path / "a.jsonl", [product], "prodigy")
    assert (report.counts["trimmed"], said(read_annotations(tmp_path / "a.jsonl")[0])) == (1, [("Color", "red")])


def test_labels_move_to_a_text_that_differs_in_its_line_ends(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"text": "Hat\nred", "meta": {"id": "1"}, "spans": [
        {"start": 4, "end": 7, "label": "Color"}], "answer": "accept"})  # fmt: skip
    attrex.convert(path, tmp_path / "out.jsonl", products=[{"id": "1", "text": "Hat\r\nred"}])
    [span] = next(iter(attrex.read_products(tmp_path / "out.jsonl"))).spans or ()
    assert span == Span("Color", 5, 8, "red", "text")
