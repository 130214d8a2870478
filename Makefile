# make quickstart   a first experiment on a fresh machine: install, train, verdicts, report
# make test         the same set-up, then the tests
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help quickstart test check torture honesty bench clean

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST)

quickstart: .venv/installed
	$(BIN)/ablation run quickstart
	$(BIN)/ablation report quickstart

test: .venv/installed check
	$(BIN)/python -m pytest

check: .venv/installed # style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make torture      kills at every moment, and other tests that take minutes
torture: .venv/installed
	$(BIN)/python -m pytest -m slow --ignore tests/honesty

# make honesty      worlds in which the truth is known, and real runs of one recipe against itself: half an hour
honesty: .venv/installed
	$(BIN)/python -m pytest -m slow tests/honesty

# make bench        augmentation beside Pillow, torchvision and kornia: a table; PHOTOS=... adds the cache beside ImageFolder
bench: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/augment.py
	if [ -n "$(PHOTOS)" ]; then $(BIN)/python benchmarks/cache.py "$(PHOTOS)"; fi

# make clean        remove what the commands made (runs, cache, reports, MLflow's store)
clean:
	rm -rf runs cache mlflow.db mlartifacts
	find reports -type f ! -name sample.html -delete

.venv/installed: pyproject.toml constraints.txt
	@echo "installing into .venv: a few minutes, and 6 GB with torch"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
