"""The runner of recipes, on a tiny configuration."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

from attrex.config import Config
from attrex.demo.catalogue import write_catalogue
from attrex.errors import ConfigError, DataError
from attrex.evaluation.runs import RunResult, add_run, pack, read_runs
from attrex.shop.shop import Shop
from attrex.systems import known_systems
from attrex.types import CellState, Prediction, Product, RegionWeights, Span, Value

RECIPES = Path(__file__).parents[2] / "paper" / "recipes"
SYSTEMS = {
    "adatag": "AdaTag",
    "attn-birnn": "Attn-BiRNN",
    "aveqa": "AVEQA",
    "fixed-dram": "Fixed-DRAM",
    "jave-bert": "JAVE-BERT",
    "jave-bert-uls": "ULS-JAVE-BERT",
    "jave-lstm": "JAVE-LSTM",
    "joint-bert": "Joint-BERT",
    "joint-bert-crf": "Joint-BERT + CRF",
    "k-plug": "K-PLUG tagger",
    "m-jave-bert": "M-JAVE-BERT",
    "m-jave-bert-uls": "ULS-M-JAVE-BERT",
    "m-jave-lstm": "M-JAVE-LSTM",
    "mae-model": "MAE-model",
    "opentag": "OpenTag",
    "pam": "PAM",
    "pixel-bert": "Pixel-BERT",
    "rnn-lstm": "RNN-LSTM",
    "rpbert": "RpBERT",
    "slot-gated": "Slot-Gated",
    "slot-gated-intent": "Slot-Gated, intent only",
    "suopentag": "SUOpenTag",
    "uls-dram": "ULS-DRAM",
    "uls-dram-bert": "ULS-TIR+BERT-AR",
    "uls-dram-dynet": "ULS-TIR+DyNet-AR",
    "uls-l": "ULS-L",
    "uls-l-par": "ULS-L+PAR",
    "uls-tir": "ULS-TIR",
    "uls-vl": "ULS-VL",
    "uls-vl-par": "ULS-VL+PAR",
    "uniter": "UNITER",
    "vilt": "ViLT",
}


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"recipes_{name}", RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(RECIPES.glob("configs/*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_is_the_system_that_its_name_says(path: Path) -> None:
    assert Config.load(path).system_name == SYSTEMS.get(path.stem, Config.load(path).system_name)


def test_every_system_has_a_configuration() -> None:
    assert set(SYSTEMS) | set(known_systems()) <= {path.stem for path in RECIPES.glob("configs/*.yaml")}


def test_a_run_is_measured_once_and_found_again(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = load("run")
    data = write_catalogue(tmp_path / "drawn", train=16, valid=8, test=8, image_size=32)
    (data / "gold_dev.jsonl").write_bytes((data / "valid.jsonl").read_bytes())
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny.to_yaml(), encoding="utf-8")
    arguments = [str(config), "--data", str(data), "--seed", "5", "--products", "8", "--set", "training.epochs=1"]
    places = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    run.main([*arguments, *places, "--curve", "--without-photos"])

    table = tmp_path / "results" / "drawn.jsonl"
    (result,) = map(json.loads, table.read_text().splitlines())
    assert result["run"] == "tiny-8-seed5"
    model = json.loads((tmp_path / "work" / "drawn" / "tiny-8-seed5" / "metrics.json").read_text())
    assert (result["name"], result["system"], result["seed"]) == ("tiny", "ULS-DRAM", 5)
    assert result["training_products"] == model["training_products"]
    assert result["minutes"] == model["minutes"]
    assert result["test"]["products"] == result["test_without_photos"]["products"] == 8
    assert set(result["gold"]["per_attribute"]) <= set(run.CORE)
    assert "per_attribute" not in result["test"]
    assert result["validation_tag_f1"] == [at["eval_tag_f1"] for at in model["history"]]
    assert result["gold_without_photos"]["products"] == 8
    assert result["hidden_cells"] == 0
    chosen = json.loads((tmp_path / "work" / "drawn" / "tiny-8-seed5" / "thresholds.json").read_text())["range"]
    assert result["threshold_curve"][str(chosen)] == pytest.approx(result["test"]["tag"]["f1"])
    assert result["commit"]
    assert "torch" in result["machine"]

    run.main([*arguments, *places, "--hide", "0.5", "--gold-only"])
    (hidden,) = read_runs([f"{table}::tiny-8-hide50-seed5"])
    assert "test" not in hidden.measured
    assert hidden.measured["gold"]["products"] == 8
    assert hidden.value("test", "tag", "f1") is None
    assert json.loads(table.read_text().splitlines()[1]) == result

    before = table.read_bytes()
    run.main([*arguments, *places])
    assert f"done already: {table}::tiny-8-seed5" in capsys.readouterr().out
    assert table.read_bytes() == before
    with pytest.raises(SystemExit, match=r"was made with --set .*epochs=1.*; this run needs a configuration file"):
        run.main([str(config), "--data", str(data), "--seed", "5", "--products", "8", *places])
    table.unlink()
    with pytest.raises(ConfigError, match=r"holds another run: training\.epochs was 1\.0 and is now 2\.0"):
        run.main([*arguments, *places, "--set", "training.epochs=2"])


def test_hidden_cells_are_blank_and_stay_so_when_more_are_hidden() -> None:
    hide = load("run").hide_cells
    spans = (Span("Color", 0, 3, "red"), Span("Size", 4, 5, "L"))
    table = {"Color": ("red",), "Fit": ("slim",), "Size": ("L",)}
    products = [Product(str(i), {"text": "red L"}, table=table, spans=spans) for i in range(2000)]
    blanks = []
    for share in (0.0, 0.3, 0.6):
        hidden = list(hide(products, share, seed=1))
        assert all(p.cell_state("Fit") in (CellState.BLANK, CellState.NOT_LOCATED) for p in hidden)
        assert all((p.cell_state("Color") == CellState.LOCATED) == ("Color" in p.table) for p in hidden)
        blanks.append({(p.id, a) for p in hidden for a in table if a not in p.table})
    assert not blanks[0]
    assert blanks[1] < blanks[2]
    assert [len(b) / 6000 for b in blanks] == pytest.approx([0, 0.3, 0.6], abs=0.02)
    (whole,), (half,) = (hide([replace(products[0], complete=True)], share, seed=1) for share in (0, 1))
    assert whole.cell_state("Other") == CellState.ABSENT
    assert half.cell_state("Color") == CellState.BLANK


def test_rows_start_from_another_preset_where_one_is_asked_for(tmp_path: Path) -> None:
    run = load("run")
    options = run._parse([str(RECIPES / "configs" / "uls-tir.yaml"), "--data", "d", "--base", "mepave", "--seed", "7"])
    config = run._config(options)
    assert (config.range.kind, config.training.seed) == ("none", 7)
    assert config.text.model == Config.load("mepave").text.model
    assert run.table_path(Path("r"), Path("d")) == Path("r") / "d.jsonl"
    assert run.run_name("x", "all", 7, "mepave") == "x@mepave-all-seed7"


@pytest.mark.parametrize(
    ("arguments", "extent"),
    [
        ([], "all"),
        (["--products", "9"], "9"),
        (["--sample", "9", "3", "4"], "sample9-3-4"),
        (["--hide", "0.3"], "all-hide30"),
    ],
)
def test_how_much_of_the_data_a_run_has_seen_is_in_its_name(arguments: list[str], extent: str) -> None:
    run = load("run")
    assert run.extent(run._parse(["x.yaml", "--data", "d", *arguments])) == extent


def test_a_sample_is_evenly_spaced_over_its_file(tmp_path: Path) -> None:
    split = load("run").split
    data = write_catalogue(tmp_path, train=12, valid=4, test=4, images=False)
    every = [p.id for p in split(data, "train")]
    assert [p.id for p in split(data, "train", sample=5)] == [every[i] for i in (0, 2, 4, 7, 9)]
    assert [p.id for p in split(data, "train", sample=99)] == every


def test_a_directory_of_mae_is_split_and_located(tmp_path: Path) -> None:
    """Chosen on a part of the training products, reported on the validation part: the test part is not published."""
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
        rows = [
            {"diffbotUri": f"{part}{i}", "title": "Bag", "text": f"A red {part} bag {i}", "specs": {"Color": "red"}}
            for i in range(9)
        ]
        (tmp_path / part / "part-000.json").write_text(json.dumps([row | {"images": []} for row in rows]))
    run = load("run")
    parts = {name: list(run.split(tmp_path, name)) for name in ("train", "valid", "test")}
    assert {s.text for products in parts.values() for p in products for s in p.spans or ()} == {"red"}
    train, valid, test = ({p.id for p in products} for products in parts.values())
    assert train | valid == {f"train{i}" for i in range(9)}
    assert len(train) + len(valid) == 9
    assert test == {f"val{i}" for i in range(9)}


def test_runs_with_hidden_cells_are_drawn_as_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name, f1s in (
        ("negative", {0.0: 0.9, 0.6: 0.4}),
        ("negative", {0.6: 0.5}),  # another seed
        ("masked", {0.0: 0.91, 0.3: 0.85, 0.6: 0.8}),
        ("once", {0.0: 1.0}),
    ):
        for share, f1 in f1s.items():
            files.append(tmp_path / f"{name}-{share}-{len(files)}.json")
            test = {"tag": {"f1": f1}}
            gold = {"overlap": {"f1": f1}}
            files[-1].write_text(json.dumps({"name": name, "hidden_cells": share, "test": test, "gold": gold}))
    load("blanking").main([*map(str, files), "--out", str(tmp_path / "plot.svg")])
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| 0% | 0.900 | 0.910 |",
        "| 30% | - | 0.850 |",
        "| 60% | 0.450 ±0.050 | 0.800 |",
    ]
    assert "negative" in (tmp_path / "plot.svg").read_text()


def test_attributes_are_told_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(name: str, color: float, without: float | None) -> str:
        parts = {"gold": color} | ({"gold_without_photos": without} if without is not None else {})
        found = {p: {"per_attribute": {"Color": {"overlap_f1": f, "gold": 9}}} for p, f in parts.items()}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, "test": {"tag": {"f1": 0.5}}} | found))
        return str(path)

    load("attributes").main(["--before", write("a", 0.5, None), "--after", write("b", 0.8, 0.6), write("c", 0.9, 0.6)])
    assert capsys.readouterr().out.splitlines()[2:] == ["| Color | 9 | 0.500 | 0.850 | 0.600 |"]


def test_what_another_tool_found_is_scored_as_runs_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "run", load("run"))
    rows = [
        {"id": str(i), "text": "red bag", "spans": [{"attribute": "Color", "start": 0, "end": 3, "text": "red"}]}
        for i in range(2)
    ]
    for name in ("train", "test", "gold_dev"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = tmp_path / "found.json"
    found.write_text(json.dumps([["0", [["Color", 0, 3]]], ["1", [["Color", 4, 7]]]]))
    arguments = ["--name", "crf", "--data", str(tmp_path), "--test", str(found), "--gold", str(found)]
    arguments += ["--results", str(tmp_path / "results")]
    load("score").main(arguments)
    (run,) = read_runs([tmp_path / "results" / f"{tmp_path.name}.jsonl::crf-all-seed0"])
    assert run.measured["training_products"] == 2
    assert run.value("test", "tag", "f1") == run.value("gold", "tag", "f1") == 0.5
    assert run.counts("gold", "tag").tolist() == [[1, 1, 1], [0, 1, 1]]
    found.write_text(json.dumps([["1", []], ["0", []]]))
    with pytest.raises(DataError, match="same products in the same order"):
        load("score").main(arguments)


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "run", load("run"))
    return load("paper")


def test_every_row_of_the_paper_has_its_configuration(paper: ModuleType) -> None:
    plan = yaml.safe_load((RECIPES / "paper.yaml").read_text(encoding="utf-8"))
    named = {*paper._configs(plan["tables"]), *paper._figure_configs(plan["figures"])}
    named |= {claim[side] for claim in plan["claims"] for side in ("better", "worse")}
    assert named <= {path.stem for path in RECIPES.glob("configs/*.yaml")}
    assert set(known_systems()) <= named


def test_tables_claims_and_the_curve_come_from_finished_runs(
    paper: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    rng = np.random.default_rng(0)

    def measured(options: Any, config: str, seed: int, curve: bool) -> None:
        asked.append((config, seed))
        assert curve == (config == "uls-dram")
        correct = rng.binomial(4, {"uls-dram": 0.9, "uls-vl": 0.5}.get(config, 0.7), 200)
        counts = np.stack([correct, np.full(200, 4), np.full(200, 4)], 1)
        share = correct.sum() / 800
        tag = {"precision": share, "recall": share, "f1": share}
        test = {"tag": tag, "cls": tag, "accuracy": share, "counts": {"tag": pack(counts)}}
        run = {"name": config, "seed": seed, "test": test, "threshold_curve": {"0.1": 0.5, "0.5": share}}
        recipe = load("run")
        extent = recipe.extent(options)
        table = recipe.table_path(options.results, options.data)
        add_run(table, recipe.run_name(config, extent, seed, options.base), run)

    monkeypatch.setattr(paper, "_run", measured)
    places = ["--results", str(tmp_path / "results"), "--work", str(tmp_path), "--out", str(tmp_path / "out")]
    paper.main(["--data", str(tmp_path / "shop"), "--small", "--only", "2", "6", "8", "--seeds", "0", "1", *places])
    assert len(asked) == len(set(asked)) == 2 * 5  # each configuration once, in whatever tables it is
    page = (tmp_path / "out" / "tables.md").read_text()
    assert "## Table 2: the parts of ULS-DRAM" in page
    assert re.search(r"\| \+TIR\+PAR \| 95.89 \| 97.86 \| 96.86 \| (9|8)\d", page)
    assert re.search(r"\| fine-tuned encoders are better than fixed ones \| \+\d+\.\d\d \| .* \| holds \|", page)
    assert re.search(r"\| the range raises precision more than recall \| \+0.00 \| .* \| undecided \|", page)
    assert "K-PLUG" not in page  # not measured
    assert (tmp_path / "out" / "figure8.svg").read_text().startswith("<?xml")
    assert not (tmp_path / "out" / "figure6.html").exists()  # no models, and that is said

    made = len(asked)
    paper.main(["--data", str(tmp_path / "shop"), "--small", "--show", *places])
    assert len(asked) == made
    assert "## Table 4: other systems" in (tmp_path / "out" / "tables.md").read_text()

    paper.main(["--data", str(tmp_path / "shop"), "--small", "--only", "tir", "--seeds", "0", "1", *places])
    page = (tmp_path / "out" / "tables.md").read_text()
    assert "## TIR tried otherwise" in page
    assert re.search(r"\| attention with a softmax \| - \| \d.* \| 2 \| [-+]\d\d?\.\d\d \(.* to .*\) \|", page)
    assert re.search(r"\| ULS-VL TIR \| 96.35 \| .* \| 2 \| - \|", page)


def test_the_encoder_is_made_before_the_rows_that_start_from_it(
    paper: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_catalogue(tmp_path / "shop", train=12, valid=4, test=4, images=False)
    read: list[int] = []

    monkeypatch.setattr(paper, "pretrain", lambda products, out, **more: read.append(len(products)))
    monkeypatch.setattr(paper, "_run", lambda *row, **more: read.append(0))
    places = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")]
    arguments = ["--data", str(data), "--small", "--only", "pretraining", "--seeds", "0"]
    paper.main([*arguments, "--texts", str(data / "valid.jsonl"), *places])
    assert read == [12 + 4, 0, 0, 0, 0]


def test_a_row_that_fails_ends_the_runner_and_says_that_nothing_is_lost(
    paper: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def failed(command: list[str], check: bool) -> Any:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(paper.subprocess, "run", failed)
    with pytest.raises(SystemExit, match=r"uls-vl, seed 4, did not finish; finished runs are kept"):
        paper.main(["--data", str(tmp_path), "--small", "--only", "2", "--seeds", "4", "--base", "mae"])
    (command,) = asked
    assert command[2].endswith("uls-vl.yaml")
    assert command[command.index("--base") + 1] == "mae"
    assert command[command.index("--sample") + 1 :][:3] == ["1200", "300", "700"]
    assert "--curve" not in command


def test_claims_are_judged_by_the_seeds_that_both_rows_have(paper: ModuleType) -> None:
    ours, theirs = ([RunResult(f"{s}.json", "x", {"seed": s}) for s in seeds] for seeds in ((0, 1, 2), (2, 1, 5)))
    kept = paper._same_seeds(ours, theirs)
    assert [[run.measured["seed"] for run in side] for side in kept] == [[1, 2], [2, 1]]
    assert paper._same_seeds(ours, []) == ([], [])


def test_precision_over_recall_is_what_it_says(paper: ModuleType, tmp_path: Path) -> None:
    def run(correct: int, predicted: int) -> RunResult:
        counts = np.tile([correct, predicted, 10], (50, 1)).astype(float)
        return RunResult(str(tmp_path), "x", {"test": {"counts": {"tag": pack(counts)}}})

    found = paper.precision_over_recall([run(0, 0)], [run(0, 0)], samples=50)  # of nothing found both are 0
    assert (found.difference, found.ci95) == (0.0, (0.0, 0.0))
    found = paper.precision_over_recall([run(6, 8)], [run(5, 10)], samples=50)
    assert found.difference == pytest.approx((6 / 8 - 5 / 10) - (6 / 10 - 5 / 10))
    assert found.ci95 == pytest.approx((found.difference, found.difference))


def test_the_runner_tells_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load("run").main(["--help"])
    assert end.value.code == 0
    assert "paper/recipes/run.py paper/recipes/configs/uls-dram.yaml --data DIR" in capsys.readouterr().out


def test_the_use_of_the_photo_is_measured_once(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "run", load("run"))
    ambiguous = load("ambiguous")
    monkeypatch.setattr(ambiguous, "UNSEEN", 12)
    config = tmp_path / "tiny.yaml"
    config.write_text(tiny.to_yaml(), encoding="utf-8")
    places = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    arguments = [
        str(config),
        "--products",
        "12",
        "--set",
        "training.epochs=0.5",
        "--set",
        "text.max_tokens=96",
        *places,
    ]
    ambiguous.main(arguments)
    (run,) = read_runs([tmp_path / "results" / "drawn.jsonl::tiny-12-seed0"])
    found = run.measured
    right = found["right_colour"]
    assert 0 < right["texts"] <= 12
    assert all(0 <= share <= 1 for name, share in right.items() if name != "texts")
    assert right["guessing among those named"] < 0.55
    assert found["test"]["products"] == 12
    capsys.readouterr()
    ambiguous.main(arguments)
    assert "done already" in capsys.readouterr().out


def test_what_was_filled_in_is_judged_by_hand_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "run", load("run"))
    span = {"attribute": "Color", "start": 0, "end": 3, "text": "red"}
    cells = {"Neckline": {"values": ["Round"], "also_ok": ["Crew"]}}
    row = {"id": "1", "text": "red shoe, blue", "spans": [span], "table": cells}
    (tmp_path / "gold.jsonl").write_text(json.dumps(row))
    changes = [("1", "Color", "filled", 0, 3), ("1", "Color", "filled", 10, 14), ("1", "Size", "filled", 0, 3)]
    changes += [("1", "Color", "differs", 2, 8), ("1", "Fit", "differs", 0, 3), ("2", "Color", "differs", 0, 3)]
    lines = [f"{i},{a},{outcome},x,text,{start},{end}" for i, a, outcome, start, end in changes]
    lines += [f"1,{a},below,{value},,," for a, value in (("Neckline", "Crew"), ("Neckline", "V"), ("Fit", "Slim"))]
    (tmp_path / "c.csv").write_text("\n".join(["id,attribute,outcome,value,field,start,end", *lines]))
    load("filled").main([str(tmp_path / "c.csv"), "--gold", str(tmp_path / "gold.jsonl")])
    told = ["| filled | 2 | 1 | 1 | 0 |", "| differs | 2 | 1 | 1 | 0 |", "| below | 3 | 1 | 1 | 1 |"]
    assert capsys.readouterr().out.splitlines()[2:] == told


def test_heat_maps_of_different_words_are_compared() -> None:
    left, right, flat = ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))

    def find(word: str, row: tuple[float, ...], image: int = 0) -> Value:
        return Value.from_span(Span("Color", 0, len(word), word), 0.9, (RegionWeights(image, (row,)),))

    same_word = (find("red", left), find("RED", right))
    others = (find("blue", left), find("plain", flat), find("second photo", left, image=1))
    unseen = Value.from_span(Span("Color", 0, 8, "no photo"), 0.9)
    predictions = [Prediction("1", (*same_word, *others, unseen)), Prediction("2", (find("green", left),))]
    assert list(load("heatmaps").alike(predictions)) == pytest.approx([1.0, -1.0])  # blue beside each red


def test_each_step_of_locating_is_scored_against_hand_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_catalogue(tmp_path / "drawn", train=150, valid=4, test=40, seed=1, image_size=32)
    (data / "test.jsonl").rename(data / "gold_dev.jsonl")
    shop = tmp_path / "shop.yaml"
    Shop().save(shop)
    monkeypatch.syspath_prepend(RECIPES)
    labels = load("labels")
    monkeypatch.setattr(labels, "CORE", ("Color", "Material", "Closure", "Neckline", "Pattern", "Fit"))
    labels.main(["--data", str(data), "--shop", str(shop)])
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0][2:] for row in rows] == [name for name, _ in labels.STEPS]
    first, last = ([float(x) for x in row.strip("| ").split(" | ")[1:]] for row in (rows[0], rows[-1]))
    assert all(0 < x <= 1 for x in first)
    assert last[1] > first[1]  # more is found
