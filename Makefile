# make demo | make test | make check | make bench : each sets up what it needs, once.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check bench format lock servers clean

demo: $(READY) servers
	@$(BIN)/python -m deploy.demo $(ARGS)

test: $(READY) servers
	@$(BIN)/python -m pytest $(ARGS)

bench: $(READY) servers
	@$(BIN)/python -m tests.bench $(ARGS)

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

$(READY): requirements.lock pyproject.toml deploy/setup/venv.sh
	@PYTHON="$(PYTHON)" sh deploy/setup/venv.sh >&2
	@touch $@

servers:
	@sh deploy/setup/debian.sh mosquitto influxdb >&2

# Resolves anew; the file carries hashes and no index address.
lock:
	@sh deploy/setup/lock.sh >&2

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
