# make quickstart   a first experiment on a fresh machine: install, train, verdicts, report
# make test         the same set-up, then the tests: a few minutes
# make test-all     with those that take longer: parity and distributions of every operation in full, whole sweeps
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help quickstart test test-all oldest pytest check torture faults honesty bench clean

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST)

quickstart: $(VENV)/installed
	$(BIN)/ablation run quickstart
	$(BIN)/ablation report quickstart

PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

test: $(VENV)/installed check
	$(PYTEST)

test-all: test
	$(PYTEST) -m "slow and not torture" --ignore tests/honesty --ignore tests/torture

# make oldest       the tests with the oldest packages that are allowed, in an environment of their own
oldest:
	$(MAKE) pytest VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

pytest: $(VENV)/installed
	$(PYTEST)

check: $(VENV)/installed # style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make torture      over 200 kills, a crash at every write, disks that fail, bits that flip: docs/reliability.md says what came of it
torture: $(VENV)/installed
	$(BIN)/python -m pytest -m slow tests/torture
	$(BIN)/python -m pytest -m torture tests/cli tests/tracking

# make faults       the table of docs/reliability.md, anew: by all tests that try a fault, torture and all
faults: $(VENV)/installed
	rm -f faults.jsonl
	ABLATION_FAULTS=$(CURDIR)/faults.jsonl $(MAKE) test-all torture
	$(BIN)/python tests/faults.py faults.jsonl

# make honesty      worlds in which the truth is known, and real runs of one recipe against itself: half an hour
honesty: $(VENV)/installed
	$(BIN)/python -m pytest -m slow tests/honesty

# make bench        how fast this is, beside what people would use: tables; PHOTOS=... (a folder of photographs) adds grids
MEASURE := $(BIN)/python benchmarks
bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[bench]"
	$(MEASURE)/commands.py --rounds 3
	$(MEASURE)/quickstart.py --rounds 3
	$(MEASURE)/overhead.py --rounds 3 $(if $(PHOTOS),--photos "$(PHOTOS)")
	$(MEASURE)/memory.py
	$(MEASURE)/levers.py
	$(MEASURE)/augment.py
	$(if $(PHOTOS),$(MEASURE)/cache.py "$(PHOTOS)")
	$(if $(PHOTOS),$(MEASURE)/loop.py "$(PHOTOS)" --rounds 5)
	$(if $(PHOTOS),$(MEASURE)/grid.py shallow "$(PHOTOS)" --reference-runs 1 --rounds 3)
	$(if $(PHOTOS),$(MEASURE)/grid.py resnet50 "$(PHOTOS)" --reference-runs 1 --rounds 1)

# make clean        remove what the commands made (runs, cache, reports, MLflow's store)
clean:
	rm -rf runs cache mlflow.db mlartifacts
	find reports -mindepth 1 -maxdepth 1 ! -name quickstart -exec rm -rf {} +

$(VENV)/installed: pyproject.toml $(CONSTRAINTS)
	@echo "installing into $(VENV): a few minutes, and 6 GB with torch"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable ".[dev]"
	touch $@
