# Each sets everything up: `make demo` shows the main job on any machine, `make run` starts the agent on this network,
# `make test` proves that it works.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Images set it, and then each of some thousand processes that tests start compiles the program anew: half its start-up.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo run test check format bench soak setup clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,fast,packets,vpn]'
	touch $@

demo: setup
	$(BIN)/wallprobe demo

run: setup
	$(BIN)/wallprobe run

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Tests mostly wait, so workers share them out; those with a world of their own (labs, daemons, browsers) come after
# those that time what they measure.
EXAMS := tests/lab/test_score.py tests/lab/test_score_control.py tests/lab/test_vpn_score.py \
	tests/lab/test_score_masked.py
TOGETHER := tests/unit tests/golden tests/deploy tests/peers
test: setup check
	@$(BIN)/python tests/peers/install.py
	$(BIN)/pytest -n 4 --dist loadfile $(TOGETHER)
	$(BIN)/pytest -n 4 --dist loadfile $(addprefix --ignore=,$(TOGETHER) $(EXAMS))
	$(BIN)/pytest -n 3 --dist loadfile $(EXAMS)

bench: setup
	@$(BIN)/python tests/peers/install.py
	$(BIN)/python -m tests.bench

# Minutes that 10,000 targets are watched for, once all of them have run; then the tests that take too long for `test`.
MINUTES ?= 30
soak: setup
	@$(BIN)/python tests/peers/install.py
	SOAK_MINUTES=$(MINUTES) $(BIN)/python -m tests.bench soak
	$(BIN)/pytest -m soak

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
