# Each target makes .venv and installs by itself. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
BENCH ?= --quick
JOBS ?= 4

.PHONY: demo test lint bench clean

demo: .venv/test
	$(BIN)/infobase demo $(DEMO)

test: .venv/test
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile $(TESTS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test
	$(BIN)/python -m benchmarks $(BENCH)

.venv/test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

.venv/dev: .venv/test
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
