# What a person does with a checkout. Everything lives in .venv and node_modules; stamps keep second runs short.

SHELL := bash
.SHELLFLAGS := -o pipefail -ec

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SOURCES  := pyproject.toml setup.py package.json package-lock.json nbflow/_version.py \
            $(wildcard labextension/src/*.ts labextension/src/*/*.ts labextension/style/* tutorials/*.ipynb)
TUTORIAL := tutorials/01-first-flow.ipynb

# Without npm everything works but the JupyterLab extension: palette commands and the launcher card.
ifneq ($(shell command -v npm),)
MODULES := node_modules/.package-lock.json
LINT_TYPESCRIPT := npm run --silent lint
else
export NBFLOW_SKIP_JS := 1
LINT_TYPESCRIPT := @echo 'eslint is left out: npm is not here'
endif

.PHONY: help demo check test bench docs format clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.for-demo  ## open the first tutorial in JupyterLab (HEADLESS=1: run it here and print its outputs)
ifeq ($(HEADLESS),1)
	$(BIN)/jupyter nbconvert --log-level=WARN --execute --to markdown --stdout --no-input \
	  --NbConvertBase.display_data_priority=text/plain $(TUTORIAL) | cat -s
else
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --LabApp.default_url=/lab/tree/$(TUTORIAL)
endif

check: $(VENV)/.for-development $(MODULES)  ## format, lint, types, layers, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(LINT_TYPESCRIPT)
	$(BIN)/python -m pytest -q tests --ignore=tests/e2e --ignore=tests/docs

test: $(VENV)/.for-development $(VENV)/.for-browsers  ## every test: unit, documentation, browser, tutorials
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest -q --nbval-lax --nbval-cell-timeout=120 --nbval-current-env tutorials

bench: $(VENV)/.for-development  ## measure nbflow beside its peers
	$(BIN)/python -m benchmarks $(BENCH)

docs: $(VENV)/.for-development  ## build the site into site/
	$(BIN)/python docs/state_machine.py
	$(BIN)/python docs/supported_sites.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: $(VENV)/.for-development  ## mend what the formatters can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove everything that a target made
	rm -rf $(VENV) benchmarks/.venv node_modules build site labextension/dist labextension/lib *.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.for-demo: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[notebook,pilots,tutorials]'
	@touch $@

$(VENV)/.for-development: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.for-demo

node_modules/.package-lock.json: package-lock.json
	npm ci --silent --ignore-scripts
	@touch $@

# The browser tests drive Debian's chromium; without root it must be there already.
$(VENV)/.for-browsers: | $(BIN)/python
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	       -o DPkg::Lock::Timeout=600 chromium fonts-dejavu-core >/dev/null; } \
	  || { echo 'make test: install chromium for the browser tests' >&2; exit 1; }
	@touch $@
