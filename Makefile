# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    make .venv, install, run the main job on artificial languages
#   make test    make .venv, install, format and lint check, types, tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# One thread a process: the tests run in two processes, and thread counts decide the last digits of results.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test lint types unit install clean

demo: $(INSTALLED)
	$(BIN)/xltransfer demo --out runs/demo --workers 2

test: lint types unit

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED)
	$(BIN)/python -m pytest -n 2

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,slurm]'
	touch $@

clean:
	rm -rf $(VENV) runs
