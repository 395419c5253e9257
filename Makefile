# make demo   compile an example and run it to the end here
# make test   run the tests          make check  lint, types, layers
# make bench  measure                make docs   write the generated pages
# Everything happens in .venv, made with $(PYTHON), and again when pyproject.toml changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# The fewer the packages, the sooner the demo: only `make demo` on a fresh clone stops at this stamp.
BASE   := $(VENV)/.installed-base
DEMO   ?= notebooks/classifiers.ipynb

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: demo test check bench docs clean
.DEFAULT_GOAL := demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "kalecompiler needs Python 3.10 or newer; set PYTHON=")'
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml | $(VENV)/bin/python
	@echo "installing kalecompiler and what the examples need (a minute or two, once)"
	@$(BIN)/python -m pip install -qq --editable '.[examples]'
	@touch $@

$(STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "installing kalecompiler with its tools and tests (two or three minutes, once)"
	@$(BIN)/python -m pip install -qq --editable '.[dev]'
	@touch $@ $(BASE)

demo: $(BASE)
	@echo "\$$ kalec compile $(DEMO)"
	@$(BIN)/kalec compile $(DEMO) --output $(VENV)/demo.yaml
	@echo
	@echo "\$$ kalec graph $(DEMO) --format text"
	@$(BIN)/kalec graph $(DEMO) --format text
	@echo
	@echo "\$$ kalec run $(DEMO)"
	@$(BIN)/kalec run $(DEMO)

# One worker more than cores: some of the time goes into waiting for servers and timers.
test: $(STAMP)
	@$(BIN)/python -m pytest -n 3 --dist worksteal

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate.py --check

bench: $(STAMP)
	@for script in benchmarks/*_time.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(STAMP)
	@$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache notebooks/.kalec
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
