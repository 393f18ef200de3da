"""The runner of recipes, on a tiny configuration."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from attrex.config import Config
from attrex.data.locate import LocatePolicy
from attrex.data.synthetic import write_catalogue
from attrex.systems import SYSTEMS as ALL_SYSTEMS
from attrex.types import CellState, Product, Span

RECIPES = Path(__file__).parent.parent / "recipes"
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
    assert set(SYSTEMS) | set(ALL_SYSTEMS) <= {path.stem for path in RECIPES.glob("configs/*.yaml")}


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
    run.main([*arguments, *places])

    target = tmp_path / "results" / "drawn" / "tiny-8-seed5.json"
    result = json.loads(target.read_text())
    model = json.loads((tmp_path / "work" / "drawn" / "tiny-8-seed5" / "metrics.json").read_text())
    assert (result["name"], result["system"], result["seed"]) == ("tiny", "ULS-DRAM", 5)
    assert result["training_products"] == model["training_products"]
    assert result["minutes"] == model["minutes"]
    assert result["test"]["products"] == result["test_without_photos"]["products"] == 8
    assert set(result["gold"]["per_attribute"]) <= set(run.CORE)
    assert result["hidden_cells"] == 0
    assert result["commit"]
    assert "torch" in result["machine"]

    before = target.stat().st_mtime_ns
    run.main([*arguments, *places])
    assert "done already" in capsys.readouterr().out
    assert target.stat().st_mtime_ns == before
    with pytest.raises(SystemExit, match=r"was made with --set .*epochs=1.*; give this run a configuration file"):
        run.main([str(config), "--data", str(data), "--seed", "5", "--products", "8", *places])


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


def test_the_runner_tells_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        load("run").main(["--help"])
    assert end.value.code == 0
    assert "recipes/run.py recipes/configs/uls-dram.yaml --data DIR" in capsys.readouterr().out


def test_the_use_of_the_photo_is_measured_once(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    found = json.loads((tmp_path / "results" / "tiny-12-seed0.json").read_text(encoding="utf-8"))
    right = found["right_colour"]
    assert 0 < right["texts"] <= 12
    assert all(0 <= share <= 1 for name, share in right.items() if name != "texts")
    assert right["guessing among those named"] < 0.55
    assert found["test"]["products"] == 12
    capsys.readouterr()
    ambiguous.main(arguments)
    assert "done already" in capsys.readouterr().out


def test_each_step_of_locating_is_scored_against_hand_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_catalogue(tmp_path / "drawn", train=150, valid=4, test=40, seed=1, image_size=32)
    (data / "test.jsonl").rename(data / "gold_dev.jsonl")
    policy = tmp_path / "policy.yaml"
    LocatePolicy().save(policy)
    monkeypatch.syspath_prepend(RECIPES)
    labels = load("labels")
    monkeypatch.setattr(labels, "CORE", ("Color", "Material", "Closure", "Neckline", "Pattern", "Fit"))
    labels.main(["--data", str(data), "--policy", str(policy)])
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[0][2:] for row in rows] == [name for name, _ in labels.STEPS]
    first, last = ([float(x) for x in row.strip("| ").split(" | ")[1:]] for row in (rows[0], rows[-1]))
    assert all(0 < x <= 1 for x in first)
    assert last[1] > first[1]  # more is found
