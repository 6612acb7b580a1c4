# Two targets for people, the rest for them. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test install format lint types contracts clean

help:
	@echo "make demo   broker, collector, shop and dashboard; prints the address to open; Ctrl-C stops all of it"
	@echo "make test   every check and every test, as CI runs them"
	@echo "make format writes the format that make test asks for"

# A stamp for each set of packages: what is installed is not asked for again.
.venv/demo.stamp: pyproject.toml instrumentation/pyproject.toml constraints.txt
	@echo "Setting up .venv (once; takes a minute or two) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable ./instrumentation[instruments] --editable .[dashboard,samples]
	@touch $@

.venv/test.stamp: .venv/demo.stamp
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable ./instrumentation[instruments] --editable .[dashboard,samples,dev]
	@touch $@

demo: .venv/demo.stamp
	@exec $(BIN)/choreoscope demo

install: .venv/test.stamp

format: install
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy collector dashboard sample_services tests benchmarks
	$(BIN)/mypy -p opentelemetry.instrumentation.nats

contracts: install
	$(BIN)/lint-imports

test: lint types contracts
	$(BIN)/pytest

clean:
	rm -rf .venv choreoscope-data .demo
