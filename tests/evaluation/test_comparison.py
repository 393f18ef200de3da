"""Runs side by side, from their files alone."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrex.errors import ConfigError, DataError
from attrex.evaluation.comparison import (
    FIGURES,
    compare,
    comparison_remarks,
    csv_text,
    difference,
    figure_of,
    figures_of,
    headless_pyplot,
    markdown,
    plot,
)
from attrex.evaluation.evaluate import Evaluation
from attrex.evaluation.metrics import score
from attrex.evaluation.runs import COMPARED, RunResult, add_run, pack, read_runs, unpack
from attrex.evaluation.significance import paired_bootstrap
from attrex.types import Prediction, Product, Span, Value

PLACES = ((0, 3), (4, 8), (9, 14))


def drawn(found: float, seed: int, products: int = 60) -> tuple[list[Product], list[Prediction]]:
    """Products with three colours, and a prediction that finds each with the probability ``found``."""
    rng = np.random.default_rng(seed)
    text = "red blue green"
    spans = tuple(Span("Color", a, b, text[a:b]) for a, b in PLACES)
    rows = [Product(str(i), {"text": text}, spans=spans) for i in range(products)]
    said = [
        Prediction(str(i), tuple(Value.from_span(Span("Color", a, b, text[a:b]), 0.9) for a, b in PLACES if f < found))
        for i, f in enumerate(rng.random(products))
    ]
    return rows, said


def table_lines(table: str) -> list[str]:
    """Its lines without the blanks that align the columns."""
    return [re.sub(" +", " ", line) for line in table.splitlines()]


def write(folder: Path, name: str, seed: int, found: float, **more: Any) -> Path:
    rows, said = drawn(found, seed)
    test = Evaluation(score(rows, said, bootstrap=0), rows, said, 12.0, 1.0).to_json()
    path = folder / f"{name}-{seed}.json"
    path.write_text(json.dumps({"name": name, "seed": seed, "minutes": 30.25, "test": test} | more), encoding="utf-8")
    return path


@pytest.fixture
def runs(tmp_path: Path) -> list[RunResult]:
    plan = (("worse", 0, 0.5), ("better", 0, 0.8), ("better", 1, 0.85))
    return read_runs([write(tmp_path, *one) for one in plan])


def test_counts_are_as_they_were_when_read_back() -> None:
    counts = np.array([[1, 2, 3], [0, 0, 12]], dtype=float)
    packed = pack(counts)
    assert packed == {"correct": "1 0", "predicted": "2 0", "gold": "3 12"}
    assert np.array_equal(unpack(packed), counts)


def test_a_row_has_the_mean_of_its_seeds_and_how_far_they_lie_apart(runs: list[RunResult]) -> None:
    rows = compare(runs)
    assert [row.name for row in rows] == ["better", "worse"]
    assert len({len(line) for line in markdown(rows).splitlines()}) == 1
    head, rule, first, second = table_lines(markdown(rows))
    assert head.startswith("| run | seeds | TAG-F1 | P | R |")
    assert rule.count(" -") == head.count("|") - 1
    f1s = [run.value("test", "tag", "f1") for run in runs[1:]]
    assert first.startswith(f"| better | 2 | {np.mean(f1s):.4f} ±{abs(f1s[0] - f1s[1]) / 2:.4f} | 1.0000 ±0.0000 |")
    assert "| 12.0 | 30.2 |" in second  # sequences and minutes are no shares
    assert "gold" not in head  # not measured


def test_runs_measured_on_hand_labels_alone_are_compared_on_them(tmp_path: Path) -> None:
    better, worse = write(tmp_path, "a", 0, 0.8), write(tmp_path, "b", 0, 0.5)
    for path in (better, worse):
        run = json.loads(path.read_text())
        path.write_text(json.dumps(run | {"gold": run.pop("test")}), encoding="utf-8")
    rows = compare(read_runs([worse, better]), "b", part="gold")
    assert [row.name for row in rows] == ["a", "b"]
    assert rows[0].difference is not None
    assert rows[0].difference.ci95[0] > 0
    assert [row.name for row in compare(read_runs([worse, better]))] == ["b", "a"]  # as given: neither has a TAG-F1


def test_what_sets_runs_of_one_name_apart_is_told(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a", n, 0.5, training_products=1000 * n, data="shop", hidden_cells=0.0) for n in (1, 8)]
    assert sorted(row.name for row in compare(read_runs(paths))) == ["a (1,000 products)", "a (8,000 products)"]
    paths = [
        write(tmp_path, "b", 0, 0.5),
        write(tmp_path, "b", 1, 0.5, hidden_cells=0.0),
        write(tmp_path, "b", 2, 0.5, hidden_cells=0.3),
    ]
    assert sorted(row.name for row in compare(read_runs(paths))) == ["b", "b (30% hidden)"]
    assert [row.name for row in compare(read_runs(paths), "b") if row.difference is None] == ["b"]  # its whole name
    longer = ["training.epochs=2", "training.evaluations=1"]
    paths = [
        write(tmp_path, "c", 0, 0.5, overrides=["training.evaluations=1"]),
        write(tmp_path, "c", 1, 0.5, overrides=longer),
        write(tmp_path, "c", 2, 0.5, overrides=longer, sample="9 3 7"),
        write(tmp_path, "d", 2, 0.5, overrides=["range.threshold=0.1"]),
    ]
    names = ["c", "c (sample 9 3 7, training.epochs=2)", "c (training.epochs=2)", "d"]
    assert sorted(row.name for row in compare(read_runs(paths))) == names


def test_with_one_run_each_it_is_the_paired_bootstrap_of_their_predictions(runs: list[RunResult]) -> None:
    rows, ours = drawn(0.8, 0)
    _, theirs = drawn(0.5, 0)
    for metric in ("tag", "overlap", "cls", "accuracy"):
        name = metric if metric == "accuracy" else f"{metric}_f1"
        expected = paired_bootstrap(rows, ours, theirs, name, samples=500)
        assert difference(runs[1:2], runs[:1], "test", metric, samples=500) == expected


def test_seeds_that_lie_apart_widen_the_interval(tmp_path: Path) -> None:
    steady = read_runs([write(tmp_path, f"steady{i}", 0, 0.7) for i in range(3)])
    apart = read_runs([write(tmp_path, f"apart{i}", 0, found) for i, found in enumerate((0.5, 0.7, 0.9))])
    other = read_runs([write(tmp_path, "other", 1, 0.6)])
    narrow, wide = (difference(group, other, "test", "tag", samples=1000) for group in (steady, apart))
    assert np.diff(wide.ci95)[0] > 1.3 * np.diff(narrow.ci95)[0]


def test_rows_are_compared_with_the_chosen_one(runs: list[RunResult]) -> None:
    better, worse = compare(runs, "worse", samples=500)
    assert worse.difference is None
    assert better.difference is not None
    assert better.difference.ci95[0] < better.difference.difference < better.difference.ci95[1]
    head, _, first, second = table_lines(markdown([better, worse]))
    assert head.endswith("| difference | 95 % interval | p |")
    assert f"| {better.difference.difference:+.4f} |" in first
    assert second.endswith("| - | - | - |")
    with pytest.raises(ConfigError, match=r"no row is named 'wrose'; did you mean 'worse'\?"):
        compare(runs, "wrose")


def test_a_spreadsheet_has_every_run(runs: list[RunResult]) -> None:
    table = list(csv.DictReader(csv_text(compare(runs, "worse", samples=100)).splitlines()))
    assert [(row["name"], row["seed"]) for row in table] == [("better", "0"), ("better", "1"), ("worse", "0")]
    assert float(table[1]["TAG-F1"]) == runs[2].value("test", "tag", "f1")
    assert table[1]["gold exact F1"] == ""
    assert float(table[0]["difference"]) > 0
    assert table[2]["difference"] == ""


@pytest.mark.parametrize("name", ["runs.svg", "runs.png"])
def test_a_plot_has_a_line_for_every_row(runs: list[RunResult], tmp_path: Path, name: str) -> None:
    plot(compare(runs), tmp_path / name)
    drawing = (tmp_path / name).read_bytes()
    assert drawing
    if name.endswith("svg"):
        assert b"better" in drawing
        assert b"worse" in drawing


def test_long_row_names_are_whole_in_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ["training.accumulation=1", "training.batch_size=4", "training.evaluations=1"]
    files = [write(tmp_path, "uls-dram-pretrained", n, 0.5 + n / 10, overrides=settings[:n]) for n in range(4)]
    rows = compare(read_runs(files), "uls-dram-pretrained", samples=50)
    pyplot = headless_pyplot()
    monkeypatch.setattr(pyplot, "close", lambda _: None)
    plot(rows, tmp_path / "runs.png")
    canvas = pyplot.gcf()
    names = canvas.axes[0].get_yticklabels()
    assert [name.get_text().replace("\n", " ") for name in names] == [row.name for row in rows]
    places = [name.get_window_extent() for name in names]
    assert all(canvas.bbox.x0 <= place.x0 and place.y0 >= canvas.bbox.y0 for place in places)
    assert all(below.y1 < above.y0 for above, below in pairwise(places))
    assert canvas.axes[0].bbox.width > 0.3 * canvas.bbox.width
    texts = {text.get_text() for text in canvas.axes[0].texts}
    assert sum(bool(re.fullmatch(r"[+-]0\.\d{3} \([+-]0\.\d{3} to [+-]0\.\d{3}\)", text)) for text in texts) == 3
    monkeypatch.undo()
    pyplot.close(canvas)


def test_the_figures_of_a_metric_are_its_f1_precision_and_recall(runs: list[RunResult], tmp_path: Path) -> None:
    assert figures_of(compare(runs), "test", "tag") == ["TAG-F1", "P", "R"]
    assert figures_of(compare(runs), "test", "cls_values") == ["TAG-F1"]
    assert figures_of(compare(runs), "gold", "overlap") == list(FIGURES)  # not measured: whatever there is
    gold = read_runs([write(tmp_path, "x", 0, 0.5, gold=runs[0].measured["test"])])
    assert figures_of(compare(gold), "gold", "overlap") == ["gold overlap P", "gold overlap R", "gold overlap F1"]
    assert table_lines(markdown(compare(runs), ["TAG-F1"]))[0] == "| run | seeds | TAG-F1 |"


def test_each_metric_has_its_figure() -> None:
    assert figure_of("gold", "overlap") == "gold overlap F1"
    assert figure_of("test", "accuracy") == "accuracy"
    assert figure_of("test", "cls_values") == "TAG-F1"
    assert {figure_of("test", metric) for metric in COMPARED} <= set(FIGURES)


def test_other_products_cannot_be_compared(runs: list[RunResult], tmp_path: Path) -> None:
    rows, said = drawn(0.5, 0, products=59)
    found = Evaluation(score(rows, said, bootstrap=0), rows, said, 1.0, 1.0).to_json()
    path = tmp_path / "fewer.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    (fewer,) = read_runs([path])
    assert fewer.name == "fewer"  # a file of attrex evaluate is named after itself
    with pytest.raises(DataError, match="different products or labels"):
        difference([fewer], runs[:1], "test", "tag")


def test_what_was_not_measured_is_told(runs: list[RunResult], tmp_path: Path) -> None:
    for against in (None, "worse"):
        with pytest.raises(DataError, match=r"no run was measured on 'gold', only on test; choose .* --gold FILE"):
            compare(runs, against, part="gold")
    gold = read_runs([write(tmp_path, "other", 0, 0.5, gold=runs[0].measured["test"])])
    with pytest.raises(DataError, match=r"worse-0\.json was not measured on 'gold', only on test"):
        compare([*runs, *gold], "worse", part="gold")
    path = write(tmp_path, "old", 0, 0.5)
    found = json.loads(path.read_text())
    del found["test"]["counts"]
    path.write_text(json.dumps(found))
    with pytest.raises(DataError, match="no counts per product of 'tag'"):
        compare([*runs, *read_runs([path])], "worse")


LINE = {"correct": "1 0", "predicted": "2 0", "gold": "3 12"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tag": 5}, "tag should be an object with precision, recall and f1, got 5"),
        ({"tag": {}}, "tag should be an object with precision, recall and f1, got {}"),
        ({"tag": {"f1": "abc"}}, "tag.f1 should be a number, got 'abc'"),
        ({"tag": {"f1": 0.5, "recall": None}}, "tag.recall should be a number, got None"),
        ({"overlap": 5}, "overlap should be an object with precision, recall and f1, got 5"),
        ({"accuracy": float("nan")}, "accuracy should be a number, got nan"),
        ({"counts": 5}, "counts should be an object with metrics, got 5"),
        ({"counts": {"tag": 5}}, "counts.tag should be an object with the lines correct, predicted, gold, got 5"),
        ({"counts": {"tag": {"gold": "1"}}}, "counts.tag should be an object with the lines correct, predicted, gold"),
        ({"counts": {"tag": LINE | {"gold": "1 x"}}}, "counts.tag.gold should be text, a whole number for each prod"),
        ({"counts": {"tag": LINE | {"gold": [1, 2]}}}, "counts.tag.gold should be text, a whole number for each prod"),
        ({"counts": {"tag": LINE | {"gold": "1"}}}, "counts.tag should have as many numbers in each line .* 2, 1]"),
        ({"counts": {"tag": dict.fromkeys(LINE, "")}}, "counts.tag should have as many numbers in each line .* 0, 0]"),
    ],
)
def test_a_damaged_run_says_what_is_wrong(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = write(tmp_path, "a", 0, 0.5)
    found = json.loads(path.read_text())
    damaged = found["test"] | changes
    for content, at in (
        (damaged, ""),  # a file of `attrex evaluate`
        (found["test"] | {"gold": damaged}, "gold."),
        (found | {"test": damaged}, "test."),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(
            DataError, match=rf"a-0\.json is damaged: {at}{words}.*; measure again with attrex evaluate"
        ):
            read_runs([path])


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"gold": 7}, "gold should be an object with metrics, got 7"), ({"minutes": "1"}, "minutes should be a number")],
)
def test_what_is_wrong_beside_the_metrics(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=rf"a-0\.json is damaged: {words}"):
        read_runs([write(tmp_path, "a", 0, 0.5, **changes)])


def test_a_macro_f1_over_no_attribute_is_no_figure(tmp_path: Path) -> None:
    few, many = write(tmp_path, "few", 0, 0.5), write(tmp_path, "many", 0, 0.8)
    found = json.loads(few.read_text())
    few.write_text(json.dumps(found | {"test": found["test"] | {"macro_f1": 0.0, "macro_attributes": 0}}))
    alone, both = (table_lines(markdown(compare(read_runs(files)))) for files in ([few], [few, many]))
    column = alone[0].split(" | ").index("macro-F1")
    assert [line.split(" | ")[column] for line in (alone[2], both[3])] == ["-", "-"]
    assert float(both[2].split(" | ")[column]) > 0


def test_a_file_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a", 0, 0.5)
    (tmp_path / "link.json").symlink_to(path)
    (run,) = read_runs([path, tmp_path / "." / "x" / ".." / path.name, tmp_path / "link.json"])
    assert run.source == str(path)


def test_runs_are_read_from_a_table_by_their_names(tmp_path: Path) -> None:
    table = tmp_path / "shop.jsonl"
    for name, seed, found in (("b", 0, 0.8), ("a", 1, 0.5), ("a", 0, 0.6)):
        add_run(table, f"{name}-seed{seed}", json.loads(write(tmp_path, name, seed, found).read_text()))
    every = read_runs([table])
    assert [run.source for run in every] == [f"{table}::{n}" for n in ("a-seed0", "a-seed1", "b-seed0")]
    assert table.read_text().splitlines()[0].startswith('{"run": "a-seed0", "name": "a", "seed": 0')
    chosen = read_runs([f"{table}::a-*", f"{table}::*-seed0", tmp_path / "." / "shop.jsonl", tmp_path / "b-0.json"])
    assert [run.source for run in chosen] == [*(run.source for run in every), str(tmp_path / "b-0.json")]
    (file,) = read_runs([tmp_path / "b-0.json"])
    assert {k: v for k, v in every[2].measured.items() if k != "run"} == file.measured
    assert every[2].counts("test", "tag").tolist() == file.counts("test", "tag").tolist()
    assert [(row.name, len(row.runs)) for row in compare(every)] == [("b", 1), ("a", 2)]
    with pytest.raises(DataError, match=r"shop\.jsonl has no run 'a-seed2'; did you mean 'a-seed[01]'\?; expected one"):
        read_runs([f"{table}::a-seed2"])
    with pytest.raises(DataError, match=r"none\.jsonl cannot be read"):
        read_runs([tmp_path / "none.jsonl"])


def test_a_run_in_a_table_is_replaced_and_the_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    table = tmp_path / "shop.jsonl"
    measured = {"test": {"tag": {"f1": 0.5}}}
    add_run(table, "b", measured)
    table.write_text(table.read_text().replace(" ", "  "))
    add_run(table, "a", measured | {"note": "two\u2028lines"})
    before = table.read_text(encoding="utf-8").split("\n")
    add_run(table, "a", measured)
    after = table.read_text(encoding="utf-8").split("\n")
    assert len(before) == len(after) == 3
    assert before[1:] == after[1:]
    assert before[0] != after[0]


def test_a_kill_while_a_run_is_added_leaves_the_table_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "shop.jsonl"
    add_run(table, "a", {"test": {"tag": {"f1": 0.5}}})
    before = table.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            add_run(table, "b", {"test": {"tag": {"f1": 0.6}}})
    assert table.read_bytes() == before
    add_run(table, "b", {"test": {"tag": {"f1": 0.6}}})  # the lock was released
    assert len(read_runs([table])) == 2


def test_runs_added_at_once_are_all_in_the_table(tmp_path: Path) -> None:
    table = tmp_path / "shop.jsonl"
    adding = (
        "import sys; from pathlib import Path; from attrex.evaluation.runs import add_run\n"
        "for i in range(40): add_run(Path(sys.argv[1]), f'{sys.argv[2]}{i}', {'test': {'tag': {'f1': 0.5}}})"
    )
    several = [subprocess.Popen([sys.executable, "-c", adding, str(table), name]) for name in "abc"]
    assert [process.wait() for process in several] == [0, 0, 0]
    assert len(read_runs([table])) == 120


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 of .*shop.jsonl is damaged: .*; delete the line"),
        ("[]", 'line 2 of .*shop.jsonl is no run: expected an object with "run"'),
        ('{"name": "x"}', 'line 2 of .*shop.jsonl is no run: expected an object with "run"'),
        ('{"run": "x", "test": {"tag": 5}}', "shop.jsonl::x is damaged: test.tag should be an object"),
        ('{"run": "x"}', "shop.jsonl::x is no measured run"),
    ],
)
def test_a_damaged_line_of_a_table_is_named(tmp_path: Path, line: str, words: str) -> None:
    table = tmp_path / "shop.jsonl"
    add_run(table, "a", {"test": {"tag": {"f1": 0.5}}})
    with table.open("a") as file:
        file.write(line + "\n")
    before = table.read_bytes()
    with pytest.raises(DataError, match=words):
        read_runs([table])
    if line.startswith("{") and "run" in line:
        return
    with pytest.raises(DataError, match=words):
        add_run(table, "b", {"test": {"tag": {"f1": 0.6}}})
    assert table.read_bytes() == before


def test_files_of_one_seed_and_rows_of_other_seeds_are_told(runs: list[RunResult], tmp_path: Path) -> None:
    assert comparison_remarks(compare(runs)) == []
    said = comparison_remarks(compare(runs, "worse", samples=50))
    assert said == [
        "better has seeds 0, 1, worse has seed 0: the difference is between all runs of both, so a seed that only "
        "one of them has is part of it"
    ]
    assert comparison_remarks(compare(runs[:2], "worse", samples=50)) == []
    copy = tmp_path / "copy.json"
    copy.write_text(Path(runs[0].source).read_text())
    (said,) = comparison_remarks(compare([runs[0], *read_runs([copy])]))
    assert said == f"worse: {runs[0].source}, {copy} all have seed 0; they count as 2 seeds"
    seedless = [RunResult(name, "x", {"test": {"tag": {"f1": 0.5}}}) for name in ("a/x.json", "b/x.json")]
    assert comparison_remarks(compare(seedless)) == ["x: a/x.json, b/x.json have no seed; they count as 2 seeds"]


@pytest.mark.parametrize("content", ["", "[]", '{"name": "x"}', '{"test": {"f1": 1}}'])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "no.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"no\.json .*attrex evaluate --json"):
        read_runs([path])
    with pytest.raises(DataError, match="cannot be read"):
        read_runs([tmp_path / "missing.json"])


def test_a_row_that_is_not_alone_under_its_name_is_named_in_full(tmp_path: Path) -> None:
    runs = read_runs([write(tmp_path, "a", n, 0.5, training_products=1000 * n) for n in (1, 8)])
    with pytest.raises(ConfigError, match=r"several rows are named 'a'.*'a \(8,000 products\)'"):
        compare(runs, "a")
    assert compare(runs, "a (1,000 products)", samples=50)


def test_without_matplotlib_it_is_told_how_to_get_it(
    runs: list[RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'attrex\[plots\]'"):
        plot(compare(runs), tmp_path / "runs.svg")
