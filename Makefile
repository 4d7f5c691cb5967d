# On a fresh machine, `make pipeline` and `make test` need Python 3.11 to 3.13, git and nothing else.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# No tool reports home.
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help install pipeline test soak benchmark check lock

help:  ## print this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install: .venv/installed  ## make .venv with the locked versions and this project

pipeline: install  ## run the pipeline: dvc repro
	dvc repro

# Three for two cores, as one often waits for another process. The longest files come first, by their names.
test: install check  ## run every check and every test
	python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

KILLS ?= 100
FLOW_RUNS ?= 50
EPOCHS ?= 200
INPUTS ?= 100000
# Three in ten of the kills are of a flow, and three more come at the worst moments. Most of the time passes while one
# process imports its libraries, so two tests run side by side.
soak: install  ## kill the pipeline 100 times (KILLS=1000 for a weekend), let it live long, feed it anything; print what was counted
	python -m pytest -n 2 --dist worksteal tests/end_to_end/test_kill_sweep.py tests/orchestration/test_long_life.py tests/resnet/test_long_life.py \
	  tests/fuzz --kills $$(($(KILLS) * 7 / 10 - 3)) --flow-kills $$(($(KILLS) * 3 / 10)) --flow-runs $(FLOW_RUNS) --epochs $(EPOCHS) --fuzz-inputs $(INPUTS)

benchmark: install  ## one training step of ours and of its peers in turn; an hour (pip install torch==2.13.0 for all of them)
	python -m benchmarks.peers

check: install  ## lint, types and import contracts
	ruff check .
	ruff format --check .
	mypy
	lint-imports

lock:  ## choose versions anew and write requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --upgrade pyproject.toml --output-file requirements.lock

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 1; }
	@test "$$(uname -s)" = Linux || { echo "Linux is needed (WSL will do); this is $$(uname -s)"; exit 1; }
	$(PYTHON) -m venv .venv
# The lock names every package, so that pip has nothing to resolve.
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
