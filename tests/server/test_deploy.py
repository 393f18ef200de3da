"""What `deploy/` says fits the command, the packages and the repository; no engine is needed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from attrex.cli import app

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))


def instruction(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_command_of_the_image_is_one_that_parses() -> None:
    """With what compose adds to it."""
    (entry,) = instruction("ENTRYPOINT")
    program, name, *arguments = json.loads(entry)
    serve = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    with serve.make_context(name, [*arguments, *COMPOSE["services"]["attrex"]["command"]]) as context:
        asked: dict[str, Any] = context.params
    assert program == "attrex"
    assert (str(asked["model"]), asked["host"], asked["port"]) == ("/model", "0.0.0.0", 8000)
    assert str(asked["tokens"]) == "/run/secrets/tokens"
    assert asked["review"] == "postgresql://attrex@database/attrex"
    assert instruction("EXPOSE") == ["8000"]


def test_all_that_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for line in instruction("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_the_image_has_a_user_without_rights_and_what_serving_needs() -> None:
    assert int(instruction("USER")[-1].partition(":")[0]) > 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {name(one) for key in ("serve", "onnx", "review") for one in extras[key]} - {
        "onnx"
    }  # which exporting needs
    installed = {name(line) for line in (ROOT / "deploy/requirements.txt").read_text().splitlines() if line[:1] != "#"}
    assert needed <= installed
    assert installed.isdisjoint({"torch", "transformers", "accelerate"})


def name(requirement: str) -> str:
    return re.split(r"[<>=\[;]", requirement)[0].strip()


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_what_a_service_of_compose_names_is_there(service: str) -> None:
    asked = COMPOSE["services"][service]
    assert set(asked.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(asked.get("depends_on", ())) <= set(COMPOSE["services"])
    assert all("healthcheck" in COMPOSE["services"][other] for other in asked.get("depends_on", ()))
    assert all(port.startswith("127.0.0.1:") for port in asked["ports"])
    named = [v.split(":")[0] for v in asked["volumes"] if not v.startswith("$")]
    assert set(named) <= set(COMPOSE["volumes"])
