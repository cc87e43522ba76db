# Each target sets up what it needs. PYTHON (3.11 or newer) makes the environment, VENV is where.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	-c $$($(VENV)/bin/python .ci/pins.py)

.PHONY: train test docs lint types check clean

train: $(VENV)/.stamp-core  ## train the toy; ARGS="--backend tf" and so on go to the command
	$(VENV)/bin/python -m ganref.train $(ARGS)

test: $(VENV)/.stamp-test  ## the whole suite, with every framework that this Python has
	$(VENV)/bin/python -m pytest $(ARGS)

docs: $(VENV)/.stamp-docs  ## the site, in build/site/index.html; warnings are errors
	$(VENV)/bin/python -m docs.build

lint: $(VENV)/.stamp-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.stamp-dev
	$(VENV)/bin/mypy

check: lint types test

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# A stamp is older than a file that it depends on: install again.
$(VENV)/.stamp-core: pyproject.toml $(wildcard constraints*.txt) | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.stamp-docs: pyproject.toml $(wildcard constraints*.txt) | $(VENV)/bin/python
	$(PIP) -e '.[docs]'
	@touch $@ $(VENV)/.stamp-core

$(VENV)/.stamp-test: pyproject.toml $(wildcard constraints*.txt) | $(VENV)/bin/python
	$(PIP) -e '.[all,docs,test]'
	@touch $@ $(VENV)/.stamp-docs $(VENV)/.stamp-core

$(VENV)/.stamp-dev: pyproject.toml $(wildcard constraints*.txt) | $(VENV)/bin/python
	$(PIP) -e '.[all,docs,dev]'
	@touch $@ $(VENV)/.stamp-test $(VENV)/.stamp-docs $(VENV)/.stamp-core
