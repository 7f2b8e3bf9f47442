# make demo   the main job on the embedded models, in its own .venv
# make test   lint, types and all tests
# make lint   ruff and mypy only
# make docs   the documentation site, in build/site
# make bench  what is measured against what (minutes)

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs bench clean

demo: .venv/ready
	$(BIN)/eidophone compose "a painting of a frog, grayscale, black background" "frog croaking"

test: lint
	$(BIN)/python -m pytest -q

lint: .venv/ready-dev
	$(BIN)/ruff check src tests training benchmarks docs examples
	$(BIN)/ruff format --check src tests training benchmarks docs examples
	$(BIN)/mypy

docs: .venv/ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

bench: .venv/ready
	$(BIN)/python -m benchmarks.compose

# torch is pinned before anything else, so that no other package picks its own
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs,training]'
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
