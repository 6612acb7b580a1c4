# `make help` lists the targets: `demo` is for users, the rest for developers. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input install --constraint constraints.txt
# Kept, compiled modules save each process that a test starts from compiling them again.
unexport PYTHONDONTWRITEBYTECODE
CHECKED := collector dashboard sample_services tests instrumentation/tests benchmarks docs

# Biome checks JavaScript and style sheets. Only Biome needs Node: without Node it is skipped, except in CI,
# where that is an error.
BIOME := node_modules/.bin/biome
define biome
	@if command -v node > /dev/null && command -v npm > /dev/null; then \
	  $(MAKE) --silent --no-print-directory node_modules/biome.stamp && $(BIOME) $(1); \
	elif [ "$$CI" = true ]; then \
	  echo "There is no node and npm to check JavaScript and style sheets with: install them" >&2; exit 2; \
	else \
	  echo "JavaScript and style sheets are left out: there is no node and npm"; \
	fi
endef

.PHONY: help demo dashboard-dev test suite install format lint types contracts answers schema picture torture audit pins clean

help:
	@echo "make demo      broker, collector, shop and dashboard; prints the address to open; Ctrl-C stops all of it"
	@echo "               (ARGS='--port 8502' passes options on, $(BIN)/choreoscope demo --help lists them)"
	@echo "make dashboard-dev  the pages on port 8510, which reload what is edited (ask a demo that runs)"
	@echo "make test      every check and every test, as CI runs them"
	@echo "make format    writes the format that make test asks for"
	@echo "make answers   writes the dashboard's copy of the answers' shapes"
	@echo "make schema    writes docs/expectations.schema.json, what may be declared"
	@echo "make picture   takes the picture of the README again, in Chromium"
	@echo "make torture   breaks disk, clock and decoders for half an hour (ARGS='--minutes 5 kills'); prints a table"
	@echo "make audit     which pinned packages have known flaws? Writes sbom.cdx.json as well"
	@echo "make pins      writes the versions installed in .venv down in constraints.txt"
	@echo "make clean     removes .venv, node_modules and the data of the demo, never choreoscope-data"

# Check first, so that a machine that lacks something is left unchanged.
$(BIN)/python:
	@command -v "$(PYTHON)" > /dev/null || { \
	  echo "There is no $(PYTHON): install Python 3.11 to 3.14, or name one that is there: make PYTHON=python3.12 demo"; exit 2; } >&2
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { \
	  echo "$$("$(PYTHON)" -V 2>&1) is not one of 3.11 to 3.14: name one that is, such as make PYTHON=python3.12 demo"; exit 2; } >&2
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "$(PYTHON) cannot make a virtual environment: install what your system leaves out of it (Debian and Ubuntu: apt install python3-venv)"; exit 2; } >&2
	@"$(PYTHON)" -m venv --clear .venv

# A stamp for each set of packages, so that pip runs only when something has changed.
.venv/demo.stamp: $(BIN)/python pyproject.toml instrumentation/pyproject.toml constraints.txt
	@echo "Installing what it needs into .venv (once, a minute or two) ..."
	@$(PIP) --editable './instrumentation[instruments]' --editable '.[dashboard,samples]'
	@$(BIN)/python -c 'from collector.formats.otlp import scanning; scanning.prepare()' || true  # else at the first start
	@touch $@

.venv/test.stamp: .venv/demo.stamp
	@echo "Installing what the tests need ..."
	@$(PIP) --editable './instrumentation[instruments]' --editable '.[dashboard,samples,dev]'
	@touch $@

# No lock file: it would record the registry that this machine uses. package.json pins the exact version.
node_modules/biome.stamp: package.json
	@npm install --no-package-lock --no-audit --no-fund --loglevel=error > /dev/null
	@touch $@

demo: .venv/demo.stamp
	@exec $(BIN)/choreoscope demo $(ARGS)

# Reloads what is edited: Python on save, the front end with the next refresh. It asks the collector of `make demo`.
dashboard-dev: .venv/demo.stamp
	@STREAMLIT_SERVER_FILE_WATCHER_TYPE=auto STREAMLIT_SERVER_RUN_ON_SAVE=true \
	  exec $(BIN)/choreoscope dashboard --port 8510 $(ARGS)

install: .venv/test.stamp

format: install
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(call biome,check --write)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(call biome,ci --error-on-warnings)

types: install
	$(BIN)/mypy $(CHECKED)
	$(BIN)/mypy -p opentelemetry.instrumentation.nats

contracts: install
	$(BIN)/lint-imports --no-logo

# Types take a minute, so they are checked beside the tests; what takes seconds comes first.
test: lint contracts
	@$(MAKE) --no-print-directory --jobs 2 types suite

# In three processes for two cores: the longest tests wait for services more than they compute. Four take longer.
suite: install
	$(BIN)/pytest --numprocesses 3 --dist loadgroup $(ARGS)

answers: install
	$(BIN)/python -m tests.dashboard.copying

schema: install
	$(BIN)/python -m tests.schema_copying

picture: install
	$(BIN)/python docs/img/picture.py

torture: install
	$(BIN)/python -m benchmarks.torture $(ARGS)

# In an environment of its own: these programs are no part of what they look at.
audit: install
	@test -x .venv-audit/bin/pip-audit || { "$(PYTHON)" -m venv .venv-audit && \
	  .venv-audit/bin/python -m pip --quiet --disable-pip-version-check --no-input install 'pip-audit>=2.10' 'cyclonedx-bom>=7.5'; }
	$(BIN)/python benchmarks/audit.py .venv-audit/bin

pins: install
	$(BIN)/python -m pip --disable-pip-version-check freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv .venv-audit sbom.cdx.json node_modules .demo
