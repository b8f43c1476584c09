# make run     set up, run the default study, name the page to open
# make test    the checks that everybody runs (at most 15 minutes)
# make check   what CI runs: make test and a selection of the slower tiers
# make check-all  all tiers

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# On a CPU-only Linux machine: make run TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
CONFIG ?= config/config.yaml
# Files of tests run side by side in so many processes, the longest first; of one thread each unless
# a test says otherwise. The slowest are shared out one by one.
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS)
BY_FILE = --dist loadfile --no-loadscope-reorder tests/cluster tests/workflow tests/steps tests/unit
ONE_BY_ONE = --dist load --maxschedchunk 1 tests/steps tests/workflow tests/unit
# Faults of a cluster are timed by its clock, so nothing else runs beside them.
FAULTS = $(BIN)/pytest tests/cluster -m slowest

.PHONY: install run test lint check check-all docs

install: $(VENV)/.installed

$(VENV)/.installed: envs/cpu.txt envs/embedded.txt envs/test.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) \
	  else "Mimic needs Python 3.11 to 3.13; this is %d.%d. Name another: make PYTHON=python3.12 …" % v)'
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --index-url $(TORCH_INDEX) "$$(grep '^torch==' envs/cpu.txt)")
	$(BIN)/pip install --quiet -r envs/cpu.txt -r envs/test.txt
	$(BIN)/pip install --quiet --no-deps -r envs/embedded.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	ln -sfn profiles/meluxina meluxina
	@touch $@

run: install
	$(BIN)/snakemake --profile profiles/local --configfile $(CONFIG)
	@echo "The study is done. Open its page in a browser:"
	@echo "  $$($(BIN)/python -c 'import sys; from pathlib import Path; from mimic.study import read_settings; \
	  print(Path(read_settings(Path(sys.argv[1])).get("root", "results"), "report", "index.html").resolve())' $(CONFIG))"

lint: install
	$(BIN)/ruff check workflow tests
	$(BIN)/ruff format --check workflow tests
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy

test: lint
	$(PYTEST) $(BY_FILE) -m "not slow and not slowest"

check: test
	$(PYTEST) $(BY_FILE) -m "slow and not slowest"

check-all: check
	$(PYTEST) $(ONE_BY_ONE) -m slowest
	$(FAULTS)

docs: install
	$(BIN)/python -m mimic.settings_page > config/README.md
