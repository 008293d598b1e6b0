# One command per wish, one line each. `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
DONE := .venv/.done
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
TORCH := torch==2.13.0
PIP := $(BIN)/python -m pip --disable-pip-version-check

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DONE)/system $(DONE)/project page ## install all that is needed; does only what is still missing

demo: setup ## watch a real training in its own window
	@$(BIN)/stepline demo $(ARGS)

test: setup ## run every test
	$(BIN)/python -m pytest -n 2 --dist worksteal
	cd web && npm test

lint: setup ## check form, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m stepline.wire_typescript --check
	cd web && npm run lint

fix: setup ## repair what a linter can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m stepline.wire_typescript
	cd web && npm run fix

bench: setup ## measure what is promised, on this machine; ARGS="kernels backlog" for parts of it
	$(BIN)/python -m tests.bench $(ARGS)

peers: setup ## install the tools that the benchmarks are compared with
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements/peers.txt

dev: setup ## the page with hot reload against the live backend
	@$(BIN)/python build/dev.py

page: $(DONE)/project ## build the page where its sources changed
	@$(BIN)/python build/hatch_web.py

pin: setup ## pin the requirements anew, by hash
	$(BIN)/uv pip compile pyproject.toml requirements/build.in --extra test --extra lint --extra hf \
		--override requirements/without-torch.txt --no-emit-package torch --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make pin" \
		--upgrade -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml requirements/build.in --extra package --constraint requirements/dev.txt \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make pin" -o requirements/package.txt
	$(BIN)/uv pip compile pyproject.toml --extra peers --constraint requirements/dev.txt \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make pin" -o requirements/peers.txt

package: setup ## build what is handed out, into dist/
	@$(BIN)/python build/package.py

package-test: package ## install and start each package in a bare system without a network
	$(BIN)/python build/bare_system.py $(BIN)/python -m pytest tests/package

clean: ## remove all that was installed and built here
	rm -rf .venv .cache dist backend/stepline/web_dist web/node_modules bench-results screenshots \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# Each stamp stands for a step that was done, and is older than what would make it necessary again.
$(DONE)/venv:
	@test -n "$(PYTHON)" || { echo "Stepline needs Python 3.11 to 3.14; none was found. Install it, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(PYTHON) build/system_libraries.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@mkdir -p $(DONE) && touch $@

$(DONE)/system: build/system_libraries.py | $(DONE)/venv
	@$(BIN)/python build/system_libraries.py
	@touch $@

$(DONE)/$(TORCH): | $(DONE)/venv
	@echo "Installing $(TORCH), which is large"
	@$(PIP) install --quiet '$(TORCH)'
	@touch $@

$(DONE)/requirements: requirements/dev.txt $(DONE)/$(TORCH)
	@echo "Installing the Python packages of requirements/dev.txt"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not installed. Install Node.js 20 or later, which brings it." >&2; exit 1; }
	@echo "Installing the page's packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(DONE)/project: pyproject.toml $(DONE)/requirements web/node_modules/.package-lock.json
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help setup demo test lint fix bench peers dev page pin package package-test clean
