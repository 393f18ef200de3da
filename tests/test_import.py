from __future__ import annotations

import subprocess
import sys

import pytest

import attrex

HEAVY = ("torch", "transformers", "numpy", "pyarrow", "pydantic", "PIL", "yaml")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after some code."""
    report = f"import sys; {code}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_attrex_loads_nothing_heavy():
    assert loaded_after("import attrex; dir(attrex)") == set()


def test_the_help_loads_nothing_heavy() -> None:
    assert loaded_after("from attrex.cli import app; app(['--help'], standalone_mode=False)") == set()


@pytest.mark.parametrize("name", ["Product", "Span", "Prediction", "Schema", "Config", "read_products"])
def test_data_and_settings_need_no_torch(name: str):
    assert not loaded_after(f"import attrex; attrex.{name}") & {"torch", "transformers"}


def test_every_public_name_is_there():
    assert set(attrex.__all__) < set(dir(attrex))
    for name in attrex.__all__:
        assert getattr(attrex, name).__name__ == name


def test_an_unknown_name_comes_with_the_known_ones():
    with pytest.raises(
        AttributeError, match="module 'attrex' has no attribute 'Extracter'; it has AsyncClient, Cells, Client"
    ):
        _ = attrex.Extracter
