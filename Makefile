# `make run` opens the page, `make test` runs the tests; each installs what it needs first.
PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
BIN := .venv/bin
PYTEST_ARGS ?=

VLLM_VENV ?= .venv-vllm

.PHONY: run test test-vllm check docs miniature format clean

run: .venv/.run
	$(BIN)/python app.py

test: .venv/.dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# Against a real vLLM server on the processor; its environment, apart from ours, takes about
# three minutes and 4 GB. REPORT=docs/remote-vllm.md writes what was found.
test-vllm: .venv/.dev $(VLLM_VENV)/.installed
	$(BIN)/python -m pytest tests/vllm --vllm=$(VLLM_VENV) --junitxml=$(VLLM_VENV)/junit.xml -o junit_family=xunit1 $(PYTEST_ARGS)
	$(if $(REPORT),$(BIN)/python tests/vllm/report.py $(VLLM_VENV)/junit.xml $(VLLM_VENV) $(REPORT))

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m medinject_demo.readme --check
	$(MAKE) test

docs: .venv/.dev
	$(BIN)/python -m medinject_demo.readme

miniature: .venv/.dev
	$(BIN)/python -m medinject_demo train mini
	$(BIN)/python -m medinject_demo train exam

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch comes first, from an index of its own where one is given: the registry's build for Linux brings CUDA along.
.venv/.run: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: expected Python 3.11 or later, got " + sys.version.split()[0] + ". Run: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt
	touch $@

.venv/.dev: .venv/.run requirements-train.txt requirements-fleet.txt requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-train.txt -r requirements-fleet.txt -r requirements-dev.txt
	touch $@

$(VLLM_VENV)/.installed: tests/vllm/install.sh
	TORCH_INDEX=$(TORCH_INDEX) tests/vllm/install.sh $(VLLM_VENV) $(PYTHON)
	touch $@

clean:
	rm -rf .venv .venv-vllm .mypy_cache .ruff_cache .pytest_cache
