# Every target makes .venv and installs what it needs when that is missing or stale.
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/.stamps
NOTEBOOKS ?= cache
LAB_OPTIONS ?=
LOCK_OPTIONS ?=

.PHONY: help demo test test-browser crash faults check lock audit dependencies lab docs bench clean calendars calendars-check calendars-goldens \
	backtest-peers backtest-goldens metric-goldens
help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMPS)/demo   ## real bars, a backtest, its records and a report
	$(BIN)/mismartera demo

test: $(STAMPS)/dev    ## the whole test suite
	$(BIN)/python -m pytest -n 2

test-browser: $(STAMPS)/dev   ## pages in Chromium, and a notebook in JupyterLab
	$(BIN)/python -m pytest tests/browser -m browser

crash: $(STAMPS)/dev   ## fifty rounds of kill -9 and half a minute of two writers
	CRASH_TESTS=full $(BIN)/python -m pytest tests/market_data/test_crashes.py -o log_cli=true -o log_cli_level=INFO

faults: $(STAMPS)/dev  ## killed processes, lost servers, full disks, hostile input, foreign rows: the long form
	FAULT_TESTS=full $(BIN)/python -m pytest tests/faults -o log_cli=true -o log_cli_level=INFO

check: $(STAMPS)/dev   ## ruff, mypy --strict, the import contracts, the locks and the licences
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_locks.py
	$(BIN)/python tools/check_licences.py

lock: .bench/lock/complete  ## locks/*.txt anew from pyproject.toml; LOCK_OPTIONS=--upgrade takes the newest
	.bench/lock/bin/python tools/make_locks.py $(LOCK_OPTIONS)

audit: .bench/audit/complete  ## what is known against the locked versions; fails where that cannot be asked
	.bench/audit/bin/python tools/audit_locks.py

dependencies: $(STAMPS)/dev  ## docs/dependencies.md anew: sizes, import times and, where it is reached, upkeep
	$(BIN)/python tools/make_dependency_table.py

lab: $(STAMPS)/lab     ## JupyterLab on the notebooks; LAB_OPTIONS=--allow-root or --no-browser are handed on
	$(BIN)/mismartera demo --if-missing
	$(BIN)/jupyter lab $(LAB_OPTIONS) notebooks/01_first_look.ipynb

docs: $(STAMPS)/docs   ## the documentation site in docs/_build/html; NOTEBOOKS=off leaves their results out
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --jobs 2 \
		--define nb_execution_mode=$(NOTEBOOKS) docs docs/_build/html

bench: $(STAMPS)/dev   ## compare with peers and write docs/benchmarks.md
	$(BIN)/python benchmarks/run.py

calendars: .bench/calendars/complete        ## the packaged calendar rules anew, from their sources
	.bench/calendars/bin/python tools/make_calendar_rules.py

calendars-goldens: .bench/calendars/complete .bench/calendar-peers/complete ## what tests compare calendars with
	.bench/calendars/bin/python tools/make_calendar_goldens.py
	.bench/calendar-peers/bin/python tools/make_us_hours_golden.py

calendars-check: .bench/calendar-peers/complete ## the packaged sessions against other libraries'
	.bench/calendar-peers/bin/python tools/compare_calendar_peers.py

backtest-peers: $(STAMPS)/dev ## backtests against other backtesters', fill by fill
	$(BIN)/python tools/compare_backtest_peers.py

backtest-goldens: $(STAMPS)/dev ## what tests compare backtests with
	$(BIN)/python tools/make_backtest_goldens.py

metric-goldens: .bench/metric-peers/complete ## what tests compare metrics with
	MPLBACKEND=Agg .bench/metric-peers/bin/python tools/make_metric_goldens.py

clean:           ## remove .venv and what tools left
	rm -rf .venv .bench build dist docs/_build docs/api/generated .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

# A stamp is a lock that is installed; it is stale when the lock or pyproject.toml is newer.
$(STAMPS)/%: locks/%.txt pyproject.toml | .venv/bin/python
	@echo "Installing into .venv; the first time takes a minute or two."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "from mismartera_analytics.kernels.compiling import compile_kernels; compile_kernels()"
	@mkdir -p $(@D) && touch $@

# What needs other versions than ours, or none of ours, has an environment of its own.
.bench/%/complete: tools/%-requirements.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
