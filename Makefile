# make scan                                scan the built-in lab: a simulated, partly misconfigured Flexi host
# make scan HOST=name AUTH="who allowed"   scan a real host; SCOPE=file.toml instead of AUTH for a scope file
# make test                                set up everything the tests need, and run them
# make quick                              the same without the scans of the lab: under two minutes
# make check | golden | oracle | soak | bench | bench-range | bench-ports | docs | lock | clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
HOST ?=
AUTH ?=
SCOPE ?=
ARGS ?=

.PHONY: scan test quick check lock golden bench bench-range bench-ports oracle soak docs clean packages
.DELETE_ON_ERROR:

scan: $(VENV)/.ready
	@scripts/scan "$(BIN)" "$(OUT)" "$(HOST)" "$(AUTH)" "$(SCOPE)" $(ARGS)

test: quick
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "scenario and not soak" $(ARGS)

quick: packages check
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "not oracle and not soak and not scenario" $(ARGS)

check: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

packages:
	@scripts/install-test-packages

golden: $(VENV)/.ready-test
	$(BIN)/python -m pytest tests/scenarios --renew-golden -q

oracle: $(VENV)/.ready-test
	@scripts/install-test-packages oracle
	$(BIN)/python -m pytest -m oracle $(ARGS)

soak: packages $(VENV)/.ready-test
	$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(VENV)/.ready-test
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-range: $(VENV)/.ready-test
	$(BIN)/python -m benchmarks.media_range $(ARGS)

bench-ports: $(VENV)/.ready-test
	$(BIN)/python -m benchmarks.all_ports $(ARGS)

docs: $(VENV)/.ready
	$(BIN)/python scripts/guide_map.py > docs/guide-map.md

lock: $(VENV)/.ready-test
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --group test -o requirements-test.lock pyproject.toml

$(VENV)/.ready: pyproject.toml requirements.lock
	@scripts/make-venv "$(PYTHON)" "$(VENV)" requirements.lock
	@touch $@

$(VENV)/.ready-test: pyproject.toml requirements-test.lock
	@scripts/make-venv "$(PYTHON)" "$(VENV)" requirements-test.lock
	@touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) $(OUT) .mypy_cache .pytest_cache .ruff_cache .hypothesis
