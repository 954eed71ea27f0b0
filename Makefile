# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo       make .venv, install, run three studies of artificial languages, write their reports
#   make test       make .venv, install, format and lint check, types, tests
# And one for the tests of the report's page, which are skipped where there is no Chromium:
#   make browser    install Debian's chromium, where apt-get and the rights for it are there
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# One thread a process: the tests run in two processes, and thread counts decide the last digits of results.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test lint types unit install browser clean

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

# The only target that installs a system package; `make test` never does.
browser:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome; do \
		if [ -n "$$name" ] && command -v "$$name" >/dev/null 2>&1; then echo "browser: $$name"; exit 0; fi; \
	done; \
	if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core && exit 0; \
	fi; \
	echo "browser: no Chromium, so the tests of the report's page will be skipped. To run them: apt-get install chromium"; \
	echo "as root (Debian), or put any Chromium or Chrome on the path, or name it in CHROMIUM."

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,slurm]'
	touch $@

clean:
	rm -rf $(VENV) runs
