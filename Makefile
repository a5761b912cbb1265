# Every target does its own set-up in .venv and needs Python 3.11 or newer and a package index, nothing else.
# ARGS is handed on: make test ARGS="tests/service -x", make bench ARGS="--help"
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
LIGHT := .venv-light
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --no-input
PYTHON ?=
TORCH_INDEX_URL ?=
ARGS ?=

.PHONY: run test test-service test-shared test-slow lint bench screenshots help

run: $(VENV)/.stamp-run ## start the service on http://127.0.0.1:8000 (PORT, HOST, DATA_DIR, DEVICE, ... override)
	@STOP_WITH_PARENT=1 exec $(PY) -m service run $(ARGS)

test: $(VENV)/.stamp-test ## run the tests that need neither a GPU nor minutes
	$(PY) -m pytest -m "not slow" $(ARGS)

test-service: $(LIGHT)/.stamp-light ## run the tests of the API and its pages, set up without torch in a minute
	$(LIGHT)/bin/python -m pytest -m "not slow" $(or $(ARGS),tests/service)

test-shared: $(LIGHT)/.stamp-light ## run the tests of what both sides use, without torch: all but networks and losses
	$(LIGHT)/bin/python -m pytest -m "not slow" --ignore=tests/shared/ml $(or $(ARGS),tests/shared)

test-slow: $(VENV)/.stamp-test ## run the tests that start real processes
	$(PY) -m pytest -m slow $(ARGS)

lint: $(VENV)/.stamp-test ## check style, types, the fences between the rooms and the Dockerfiles
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/hadolint Dockerfile.api Dockerfile.gpu

bench: $(VENV)/.stamp-test ## measure the bare model, the worker and the API on this machine
	$(PY) -m benchmarks $(ARGS)

screenshots: $(VENV)/.stamp-test ## take the pictures of docs/screenshots anew (needs Chromium)
	$(PY) -m tests.pages.screenshots

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# A stamp is newer than the files it was made from: a second call installs nothing.
$(VENV)/.stamp-run: $(VENV)/.stamp-python requirements/api.txt requirements/gpu.txt requirements/embedded.txt
	@echo "set-up: installing into $(VENV) (torch with CUDA is about 5 GB unpacked: see README, Installing)"
	@if [ -n "$(TORCH_INDEX_URL)" ]; then \
	    $(PIP) --index-url "$(TORCH_INDEX_URL)" $$(grep -E '^(torch|torchvision)==' requirements/gpu.txt); fi
	@$(PIP) -r requirements/api.txt -r requirements/gpu.txt -r requirements/embedded.txt
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-run requirements/test.txt
	@echo "set-up: installing the test tools"
	@$(PIP) -r requirements/test.txt
	@touch $@

# The light set-up has the API's packages and test tools, and no torch: enough to mend a page.
$(LIGHT)/.stamp-light: $(LIGHT)/.stamp-python requirements/api.txt requirements/embedded.txt requirements/test-light.txt
	@echo "set-up: installing into $(LIGHT), without torch"
	@$(LIGHT)/bin/python -m pip install --disable-pip-version-check --no-input \
	    -r requirements/api.txt -r requirements/embedded.txt -r requirements/test-light.txt
	@touch $@

$(VENV)/.stamp-python $(LIGHT)/.stamp-python:
	@found=$$(sh requirements/find_python.sh "$(PYTHON)") && echo "set-up: $(@D) from $$found" && \
	    "$$found" -m venv --clear $(@D)
	@touch $@
