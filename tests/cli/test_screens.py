"""Every screen fits 80 columns, leaves names whole, shows 15 rows at most and begins with what to do."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rich.console import Console, RenderableType

from attrex.cli.screens.check import check_screen
from attrex.cli.screens.figures import ROWS, Figures
from attrex.cli.screens.filling import fill_screen
from attrex.cli.screens.labels import agreement_screen, label_screen
from attrex.cli.screens.lexicon import lexicon_screen
from attrex.cli.screens.lists import systems_screen, weights_screen
from attrex.cli.screens.scores import comparison_screen, photo_screen, score_screen
from attrex.cli.screens.speed import speed_screen
from attrex.cli.screens.table import table_screen
from attrex.evaluation.comparison import compare, table_cells
from attrex.evaluation.incomplete import Incomplete
from attrex.evaluation.metrics import score
from attrex.evaluation.runs import RunResult
from attrex.evaluation.table import Answer, TableEvaluation, filled_cells, table_scores
from attrex.filling.fill import Outcome
from attrex.filling.report import FillReport
from attrex.inference.selection import HeldOut
from attrex.labels.lexicon_review import LexiconForm, LexiconReview
from attrex.labels.report import AttributeCounts, LabelReport
from attrex.model.weights import BACKBONES
from attrex.quality.report import CheckReport, Finding
from attrex.systems import known_systems, system_info
from attrex.types import Prediction, Product, Span, Value
from attrex.vocabulary.lexicon import FormStats, Lexicon

MANY = 20
"""More attributes than a table shows."""
NAMES = [f"Heel Height Type {i:02} [cm]" for i in range(MANY)]
Screen = Callable[[bool], RenderableType]


def shown(screen: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(screen)
    return console.export_text()


def label_report() -> LabelReport:
    report = LabelReport(products=12_345, errors=3, already_labelled=2)
    for i, name in enumerate(NAMES):
        counts = AttributeCounts(cells=12_345 - i, located=10_000, lost_to_overlap=1_234, spans=11_111)
        counts.missed.update({f"polo collar {i}": 9})
        report.attributes[name] = counts
    report.sources.update({"table": 10, "title": 3})
    report.ambiguous.update({(f"word {i}", NAMES[0], NAMES[1]): 30 - i for i in range(MANY)})
    report.columns.dropped["SKU"] = 4
    return report


def agreement() -> dict[str, Any]:
    one = {"precision": 0.9, "recall": 0.8, "f1": 0.85, "reference": 12_345, "located": 11_111}
    one["differences"] = {"missing": 1_234, "boundary": 123, "extra": 12, "attribute": 1}
    return one | {"products": 12_345, "per_attribute": dict.fromkeys(NAMES, one)}


def check_report() -> CheckReport:
    row = {"filled": 12_345, "fill_share": 1.0, "located": 12_000, "not_located": 345, "located_share": 0.97}
    row |= {"absent": 12_345, "blank": 12_345, "spans": 123_456}
    sizes = {"products": 12_345, "labelled": 12_345, "complete": 0, "errors": 1, "with_warnings": 2, "without_text": 3}
    lengths = {"mean": 224.15, "median": 220, "95%": 318, "longest": 12_345}
    photos = {"none": 1, "one": 2, "several": 3, "photos": 9, "missing": 1, "broken": 1}
    what = "a long sentence about what is wrong " * 4
    findings = tuple(Finding(f"check-{i}", "warning", what, {}, "correct it") for i in range(MANY))
    return CheckReport(
        {"train.jsonl": sizes},
        dict.fromkeys(NAMES, row),
        dict.fromkeys(("characters",), lengths),
        photos,
        tuple(findings),
    )


def fill_report() -> FillReport:
    report = FillReport(rows=12_345, errors=3)
    for name in NAMES:
        report.before[name] = 6_000
        report.outcomes[name].update(dict.fromkeys(Outcome, 1234))
        report.surest[name].update({True: 9, False: 1})
        report.conflicts[name] = 1
        report.found_in[name], report.left[name] = 9_999, 1_234
    report.asked = NAMES[:3]
    report.before["Silent"] = 1
    report.unknown["Color", "crimson"] = 3
    return report


def precision_report() -> FillReport:
    report = fill_report()
    finds = [(a, 0.9, i or a not in NAMES[:3]) for a in NAMES for i in range(12 if a in NAMES[3:6] else 1_234)]
    report.cutoffs = HeldOut.of(finds).cutoffs(0.98, pool=True)
    report.finds.update(dict.fromkeys([*NAMES, "Never held out"], 12_345))
    report.below.update(dict.fromkeys(NAMES, 1_234))
    return report


def scores() -> Any:
    spans = tuple(Span(name, i, i + 1, "x") for i, name in enumerate(NAMES))
    product = Product("a", {"text": "x" * MANY}, spans=spans)
    return score([product], [Prediction("a", (Value.from_span(spans[0], 0.9),))], bootstrap=20)


def lexicon_review() -> LexiconReview:
    forms = {
        LexiconForm(NAMES[0], f"Round Neck {i}", f"crew neck no {i}"): FormStats(9, 0.9, None, 0.8) for i in range(MANY)
    }
    return LexiconReview(Lexicon({}), forms, {}, 1_234)


def benchmark() -> dict[str, Any]:
    stages = ("tokenise", "decode photos", "collate", "network and decoding")
    way = {"products_per_second": 1_234.5, "lowest": 1_000.0, "highest": 2_000.0, "p50_ms": 12.3, "p99_ms": 45.6}
    way |= {"peak_mb": 1_234.0, "stages_ms": dict.fromkeys(stages, 12.34)}
    torch = way | {"products_per_second": 600.0, "text_encoder_gflops": 123.4}
    torch["stages_ms"] = way["stages_ms"] | {"of which: text encoder": 9.87, "of which: image encoder": 1.23}
    names = [
        f"{name}, {what}" for name in ("torch", "torch bf16", "onnx", "onnx int8") for what in ("text", "text + photo")
    ]
    ways = {name: torch if name.startswith("torch") else way for name in names}
    return {"products": 500, "rounds": 3, "matrix_gflops": {"float32": 200.0}, "ways": ways}


def table_test(kinds: tuple[Any, ...] = ("own", "none", "other"), valid: bool = True) -> TableEvaluation:
    shop = [Product(str(i), {"text": "x"}, table=dict.fromkeys(NAMES, ("x",)), spans=()) for i in range(1_234)]
    answers = [Answer("x" if i % 50 else "y", i / 1_234) for i in range(1_234)]
    cells = filled_cells(shop, [dict.fromkeys(NAMES, answer) for answer in answers], NAMES)
    scores = table_scores(cells, cells if valid else None, bootstrap=20)
    return TableEvaluation(1_234, 123 if valid else None, dict.fromkeys(kinds, scores))


def comparison() -> list[list[str]]:
    runs = []
    for i in range(2 * MANY):
        tag = {"f1": 1 - i / 80, "precision": 0.5, "recall": 0.5}
        runs.append(RunResult(f"{i}.json", f"uls-dram-{i // 2:02}", {"test": {"tag": tag}, "seed": i % 2}))
    return table_cells(compare(runs))


SCREENS: dict[str, tuple[Screen, list[str]]] = {
    "labels": (partial(label_screen, label_report()), NAMES),
    "agreement": (partial(agreement_screen, agreement()), NAMES),
    "check": (partial(check_screen, check_report()), NAMES),
    "fill": (partial(fill_screen, fill_report()), NAMES),
    "precision": (partial(fill_screen, precision_report()), NAMES),
    "scores": (partial(score_screen, scores(), Incomplete(0.9, 0.5, 0.8, 0.7, 12, 3)), NAMES),
    "table": (partial(table_screen, table_test()), NAMES),
    "comparison": (partial(comparison_screen, comparison()), [f"uls-dram-{i:02}" for i in range(MANY)]),
    "lexicon": (partial(lexicon_screen, lexicon_review()), [f"crew neck no {i}" for i in range(MANY)]),
}
WHOLE = {
    "systems": (systems_screen({name: system_info(name) for name in known_systems()}), known_systems()),
    "weights": (weights_screen(BACKBONES), [b.package for b in BACKBONES]),
    "speed": (speed_screen(benchmark()), list(benchmark()["ways"])),
    "photo": (
        photo_screen({"texts": 40.0, "own photo": 0.9, "another's photo": 0.1}),
        ["own photo", "another's photo"],
    ),
}


def tables(text: str) -> list[list[str]]:
    """The rows of each table on a screen: what stands below a rule up to an empty or dim line."""
    found: list[list[str]] = []
    open_table = False
    for line in text.splitlines():
        if line.startswith("────"):
            found.append([])
            open_table = True
        elif not line.strip() or "--all shows them" in line or "without room here" in line:
            open_table = False
        elif open_table:
            found[-1].append(line)
    return found


@pytest.mark.parametrize("name", SCREENS)
def test_a_long_table_shows_15_rows_and_says_how_many_more_there_are(name: str) -> None:
    screen, names = SCREENS[name]
    text = shown(screen(False))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(any(n in line for line in text.splitlines()) for n in names[: ROWS - 1])
    assert names[-1] not in "\n".join(line for table in tables(text) for line in table)
    assert all(len(table) <= ROWS for table in tables(text))
    assert "more" in text
    assert "--all shows them" in text
    everything = shown(screen(True))
    assert all(any(n in line for line in everything.splitlines()) for n in names)
    assert "--all shows them" not in everything


@pytest.mark.parametrize("name", WHOLE)
def test_a_short_list_is_shown_whole(name: str) -> None:
    screen, names = WHOLE[name]
    lines = shown(screen).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert all(any(n in line for line in lines) for n in names)


@pytest.mark.parametrize("name", [*SCREENS, *WHOLE])
def test_no_word_of_the_inside_and_nothing_is_cut(name: str) -> None:
    screen = SCREENS[name][0](True) if name in SCREENS else WHOLE[name][0]
    text = shown(screen)
    assert not [
        word for word in ("outbid", "lost_to", "mean range", "Partial-DRAM", "S_thr", "_share", "…") if word in text
    ]


def test_what_to_do_comes_before_the_figures() -> None:
    for name, words in {
        "check": "-> correct it",
        "labels": "add aliases to the",
        "fill": "Review them",
        "precision": "cells are left to people",
        "scores": "give them with --gold",
    }.items():
        text = " ".join(shown(SCREENS[name][0](False)).split())
        assert text.index(words) < text.index("────")


def test_names_look_as_they_are_written_and_long_ones_go_on_below() -> None:
    long = "the width of the heel where it meets the sole of the shoe, measured in [red]millimetres[/]"
    text = shown(Figures("T", ("attribute", "F1", "P", "R", "gold"), [[long, "0.912", "0.900", "0.925", "12"]]))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(word in text for word in long.split())
    assert all(figure in text for figure in ("0.912", "0.900", "0.925"))
    assert "without room here: gold" in text


def test_a_wide_terminal_shows_every_column() -> None:
    text = shown(label_screen(label_report()), width=200)
    assert "without room here" not in text
    assert Counter(len(table) for table in tables(text)) == {ROWS: 2}


def test_the_fastest_way_is_named_with_how_to_run_it() -> None:
    found = benchmark()
    found["ways"]["onnx int8, text + photo"] = found["ways"]["onnx int8, text + photo"] | {
        "products_per_second": 9_999.0
    }
    assert shown(speed_screen(found)).startswith("Fastest: onnx int8, text + photo, 9,999.0 products/s; attrex export")


def test_bounds_are_given_where_labels_are_not_complete() -> None:
    text = " ".join(shown(SCREENS["scores"][0](False)).split())
    assert "Recall 0.900, precision between 0.500 and 0.800: 15 values may be ones that the table lacks" in text
    assert "(12 in blank cells, 3 on other words of filled ones)" in text


def test_the_scores_show_the_numbers_and_what_failed() -> None:
    shirt = Span("Type", 5, 10, "shirt")
    labels = (Span("[red]Color", 0, 4, "blue"), shirt, Span("Type", 16, 21, "shirt"))
    products = [Product("a", {"text": "blue shirt, tee shirt"}, spans=labels), Product("b", {"text": ""}, spans=())]
    found = Prediction("a", (Value.from_span(Span("Type", 5, 10, "shirt"), 0.9),))
    text = shown(score_screen(score(products, [found, None], bootstrap=20)))
    assert "2 products, 1 of them unreadable or without prediction" in " ".join(text.split())
    assert any(
        line.split()[3:6] == ["1.000", "0.333", "0.500"] for line in text.splitlines() if line.startswith("TAG (")
    )
    assert "0.000 - 0.500" in text
    assert "macro-F1 (0 attributes)" in text
    assert "at least 20 gold spans" in " ".join(text.split())
    assert text.index("Type ") < text.index("[red]Color")  # most gold first; a name is no markup


def test_the_table_test_shows_the_same_figures_for_each_kind_of_photos() -> None:
    text = shown(table_screen(table_test()), width=100)
    assert "1,234 products, 24,680 filled cells of 20 attributes" in text
    assert all(title in text for title in ("the products' own photos", "Without photos", "photos of other products"))
    (accuracy,) = (line for line in text.splitlines() if line.startswith("accuracy "))
    assert accuracy.split()[1::2] == ["0.980"] * 3
    assert "unsaid: the same for the 24,680 cells whose value the text does not say" in " ".join(text.split())
    assert " ".join(text.split()).count("@0.95 @0.95 @0.98 @0.98") == 3


def test_the_table_test_without_validation_or_photos_is_shorter() -> None:
    text = shown(table_screen(table_test(("none",), valid=False)))
    assert text.startswith("Give --valid FILE to see how many cells can be filled at a wanted precision.")
    assert "coverage" not in text
    assert "own photos" not in text
    bare = Product("1", {"text": "x"}, table={"Color": ("red",)})  # nobody has looked for spans
    silent = table_scores(filled_cells([bare], [{}], ["Color"]))
    text = shown(table_screen(TableEvaluation(1, None, {"none": silent})))
    assert "unsaid:" not in text
    row = next(line for line in text.splitlines() if line.startswith("Color"))
    assert row.split() == ["Color", "1", "0.000", "-", "-"]
