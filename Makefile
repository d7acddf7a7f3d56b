# `make demo` and `make test` do everything on a fresh machine: each makes .venv if it is not there.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Stamps live inside the environment: without it they are gone as well.
RUN_READY   := $(VENV)/.ready-run
TEST_READY  := $(VENV)/.ready-test
BENCH_READY := $(VENV)/.ready-bench
PINS        := pyproject.toml constraints.txt

# The tests start many processes: without bytecode each would compile every package that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installations must never write into one environment at the same time.
.NOTPARALLEL:
.PHONY: test-oldest test-newest release-check help demo lint types test test-all bench bench-gpu docs first-pictures constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_READY) ## install, run the main job on real data, say where the report is
	$(BIN)/widelimit run examples/digits.toml --out runs/digits --overwrite

lint: $(TEST_READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TEST_READY) ## pyright
	$(BIN)/pyright --threads 2 --pythonpath $(BIN)/python

test: lint types ## install, lint, types, tests (without the slow ones)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: lint types ## the same with the slow tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m ""

docs: $(TEST_READY) ## build the site: site/index.html; the gallery's scripts run, those that changed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

first-pictures: $(TEST_READY) ## compute the explorer's first pictures anew (a test says when)
	$(BIN)/python -c "from widelimit.explore import _first, every_page; [_first.store(page) for page in every_page()]"

bench: $(BENCH_READY) ## install torch, numba and py-pde, run every benchmark
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

bench-gpu: $(TEST_READY) ## the tests and the benchmark that need a GPU; where JAX sees none they say so
	$(BIN)/python -m pytest -m gpu tests/_evolve/test_gpu.py
	$(BIN)/python benchmarks/bench_gpu.py

# Those that import most of the packages and compile little; warnings of old versions are theirs.
OLDEST_TESTS := tests/test_exports.py tests/cli/test_init.py tests/cli/test_schema.py tests/trajectory/test_store.py tests/measure/test_distances.py \
  tests/problem/data/test_load.py

test-oldest: ## the wheel on the oldest versions that pyproject.toml allows, in an environment of its own
	@env=$$(mktemp -d); trap 'rm -rf "$$env"' EXIT; set -e; \
	$(PYTHON) -m venv "$$env"; $(PYTHON) .ci/oldest.py > "$$env"/oldest.txt; \
	"$$env"/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$$env" .; \
	"$$env"/bin/python -m pip install --quiet --disable-pip-version-check -r "$$env"/oldest.txt "$$env"/widelimit-*.whl \
	  pytest hypothesis beartype cloudpickle jsonschema; \
	"$$env"/bin/python -m pytest -p no:cacheprovider -o filterwarnings=default $(OLDEST_TESTS)

test-newest: ## the wheel on the newest versions of everything, whatever constraints.txt says
	@env=$$(mktemp -d); trap 'rm -rf "$$env"' EXIT; set -e; \
	$(PYTHON) -m venv "$$env"; \
	"$$env"/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$$env" .; \
	"$$env"/bin/python -m pip install --quiet --disable-pip-version-check "$$env"/widelimit-*.whl \
	  pytest hypothesis beartype cloudpickle jsonschema; \
	"$$env"/bin/python -m pytest -p no:cacheprovider $(OLDEST_TESTS) tests/numerics/test_compiling.py

release-check: ## version, changelog, citation and tag agree
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/widelimit/__init__.py); set -e; \
	grep -q "^version: $$version$$" CITATION.cff || { echo "CITATION.cff has another version than $$version"; exit 1; }; \
	grep -q "^## \[$$version\]" CHANGELOG.md || { echo "CHANGELOG.md has no section [$$version]"; exit 1; }; \
	git tag --points-at HEAD | grep -qx "v$$version" || { echo "this commit has no tag v$$version"; exit 1; }; \
	echo "widelimit $$version"

constraints: ## pin the newest versions that fit together in constraints.txt (then: make test-all)
	@env=$$(mktemp -d); trap 'rm -rf "$$env"' EXIT; set -e; \
	$(PYTHON) -m venv "$$env"; \
	"$$env"/bin/python -m pip install --quiet --disable-pip-version-check '.[test,docs]'; \
	{ grep '^#' constraints.txt; \
	  "$$env"/bin/python -m pip freeze --exclude widelimit --exclude pip --exclude setuptools; } > $@.new; \
	mv $@.new $@.txt

clean: ## remove .venv, caches and build products; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "widelimit needs Python 3.11 or newer, and '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo 'not there'):" \
	    "name another one with 'make PYTHON=/path/to/python3'."; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN_READY): $(PINS) | $(BIN)/python
	@echo "Installing widelimit (about a minute the first time) ..."
	@$(PIP) --editable .
	@touch $@

$(TEST_READY): $(PINS) | $(BIN)/python
	@echo "Installing widelimit and its test tools (about a minute the first time) ..."
	@$(PIP) --editable '.[test]'
	@touch $(RUN_READY) $@

$(BENCH_READY): $(PINS) | $(BIN)/python
	@echo "Installing widelimit, torch, numba and py-pde (some minutes the first time) ..."
	@$(PIP) --editable '.[bench]'
	@touch $(RUN_READY) $@
