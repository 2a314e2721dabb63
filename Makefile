# `make` lists the targets. Everything is installed into .venv, with the versions of constraints.txt.
# Another Python and environment: make PYTHON=python3.13 VENV=.venv-3.13 ...
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check bench docs

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(VENV)/.installed ## create .venv and install the package with its tools (a few minutes, torch is large)

# An environment that is there, with a torch of your choice in it, is kept.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "setup: installing into $(VENV); most of the time is PyTorch's download"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup ## rebuild, embed and map a real scene into demo-output/ (about 3 minutes on 2 cores)
	@scripts/install_large_scene.sh $(VENV)
	@echo "demo: rebuilds a part of a real scene, embeds all of it and maps its classes; about 3 minutes on 2 cores"
	@$(BIN)/spectralgpt demo demo-output

test: setup ## run the tests (about 20 minutes on 2 cores)
	@echo "test: about 20 minutes on 2 cores"
	@$(BIN)/pytest -n 2 --dist loadscope

test-long: setup ## run the tests that take minutes each
	@echo "test-long: only what 'make test' leaves out, minutes each"
	@$(BIN)/pytest -m long || [ $$? -eq 5 ] # 5: there is none

check: setup ## check style, format, types and import levels (about a minute)
	@echo "check: ruff, mypy, import levels; about a minute"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# real_pretraining.py needs a folder of images and says so itself
BENCHMARKS := $(filter-out benchmarks/real_pretraining.py, $(wildcard benchmarks/*.py))

bench: setup ## run every benchmark in benchmarks/ that needs no data of yours
	@set -e; for file in $(BENCHMARKS); do echo "$$file"; $(BIN)/python "$$file"; done

docs: setup ## write docs/reference.md and the tables of the other pages from the code (seconds)
	@echo "docs: writing docs/reference.md and the tables of docs/*.md; seconds"
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/tables.py
