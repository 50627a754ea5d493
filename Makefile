# Needs Python >= 3.11 with pip, and make. Everything else is installed into .venv on first use.
#
#   make compare   train and compare the methods on a short stream (minutes)
#   make test      every test
#   make check     style, types, layers
#   make wheel     build the wheel and try it in a clean environment
#   make bench     speed, beside peers
#   make gallery   films of drives, into docs/images

PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/smoke
GALLERY ?= docs/images
PYTEST_ARGS ?= -n 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOO_OLD := "rover_cl needs Python >= 3.11, but '$(PYTHON)' is %d.%d. Name a newer one: make PYTHON=python3.12 ..."

.PHONY: setup compare test check format wheel bench gallery clean
.DEFAULT_GOAL := setup

setup: $(STAMP)

# A venv without pip comes from systems that ship `venv` without `ensurepip`: the outer pip fills it then.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "'$(PYTHON)' not found: install Python >= 3.11, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit($(TOO_OLD) % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip --python $(BIN)/python install --quiet pip
	@echo "installing rover_cl and its dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

compare: $(STAMP)
	$(BIN)/rover-cl compare --tier smoke --out $(OUT)

# One thread for each worker's torch: two workers already fill two cores.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import-linter

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(STAMP)
	PYTHON=$(PYTHON) bash .ci/wheel $(BIN)/python

bench: $(STAMP)
	$(BIN)/rover-cl bench

gallery: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m rover_cl.gallery $(GALLERY)

clean:
	rm -rf $(VENV) .cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
