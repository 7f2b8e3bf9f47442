# make demo         pictures that play, from the embedded models, in a virtual environment of its own
# make test         lint, types and all tests
# make lint         ruff and mypy only
# make test-wheel   builds the distributions and tries them with the newest and the oldest dependencies
# make fuzz         bad inputs over all verbs, killed runs, full disks, four processes in a folder (minutes); SEED=1 COUNT=2000 KILLS=50
# make docs         the documentation site, in build/site
# make bench        times and ratios (minutes)
# make constraints  looks up the newest and the oldest dependencies again

PYTHON ?= python3
BIN := .venv/bin
# Tests run in this many processes with one thread each; WORKERS=0 runs them in one.
WORKERS ?= 2
SEED ?= 1
COUNT ?= 2000
KILLS ?= 50

.PHONY: demo test lint test-wheel fuzz docs bench constraints clean

demo: .venv/ready
	$(BIN)/eidophone compose "three frogs, grayscale, black background" "frog croaking"

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS)

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-wheel: .venv/ready-dev
	.ci/wheel

fuzz: .venv/ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --seed $(SEED) --count $(COUNT)
	$(BIN)/python -m tests.fuzz.crash --seed $(SEED) --kills $(KILLS)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.system

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

constraints: .venv/ready-dev
	$(BIN)/python scripts/constraints.py

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
