# `make` lists the targets. Each sets up .venv itself when it needs it.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

# Written last, and names this folder: an interrupted set-up leaves none, and one in a copied or
# moved checkout does not count (scripts and the editable install hold absolute paths).
READY := $(VENV)/ready
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
$(READY): FORCE
endif

# Always with the pins: a looser resolve may pick another torch and download gigabytes.
PIP_INSTALL = $(PY) -m pip install $(if $(MAKE_TERMOUT),,--quiet --quiet) --constraint constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help fit real test bench coverage format clean FORCE

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

fit: $(READY)  ## train graphs/moa.yaml on toy models, and evaluate it on held-out questions
	$(VENV)/bin/sysgraph fit graphs/moa.yaml

# Started again, it goes on where it was stopped. docs/real.md says what it is.
REAL := runs/cards-study
SEEDS ?= 1
real: $(READY)  ## train graphs/real/cards.yaml on a real language model in every way, under an hour a seed (SEEDS=1)
	@$(PY) -c 'from benchmarks.real_model import pretrained; pretrained()'
	$(VENV)/bin/sysgraph study graphs/real/cards.yaml --scorer graphs/real/cards.py:cards --seeds $(SEEDS) \
		--set vars.base="$$($(PY) -c 'from benchmarks.real_model import pretrained; print(pretrained())')" -o $(REAL)
	$(VENV)/bin/sysgraph report $(REAL)/joint/seed0

test: $(READY)  ## format, lint, types, tests, and the built wheel
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy --strict
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses auto

# What tests run in processes of their own counts too: `patch = subprocess` in pyproject.toml.
coverage: $(READY)  ## how much of the three packages the tests run (PART=tests/data: those alone)
	rm -f .coverage .coverage.*
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(PY) -m coverage run -m pytest --numprocesses auto $(PART)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

bench: $(READY)  ## measure sysgraph beside other software, for docs/benchmarks.md (an hour or so)
	$(PY) -m benchmarks

format: $(READY)  ## rewrite the sources the way `make test` wants them
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format

clean:  ## remove .venv, caches and built files (runs are kept)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"sysgraph needs Python 3.11 or newer, and $(PYTHON) is {v.major}.{v.minor}: try `make PYTHON=python3.11`")'
	@if [ "$$(cat $@ 2>/dev/null)" != "$(CURDIR)" ]; then \
		echo "set-up: a fresh $(VENV), about a minute where the packages are cached"; \
		$(PYTHON) -m venv --clear $(VENV); \
	fi
	@rm -f $@
	@echo "set-up: build backend"
	@$(PIP_INSTALL) hatchling editables
	@echo "set-up: sysgraph and everything it needs, at the versions in constraints.txt"
	@$(PIP_INSTALL) --no-build-isolation --editable '.[dev]'
	@$(PY) -m compileall -q compiler schemas sysgraph  # as pip does for a wheel: commands start faster
	@echo "$(CURDIR)" > $@
