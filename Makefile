# make demo | make test | make check | make bench: each sets up what it needs, once. Set-up talks on stderr only.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
READY := .venv/.ready

.NOTPARALLEL:  # the two halves of the set-up may both need apt

# Debian packages beside Python's. Known to the first half too, so that a machine that lacks everything gets one
# command to run and not two.
SERVERS := mosquitto influxdb
demo test bench setup: export DEBIAN := $(SERVERS)

.PHONY: demo test bench check format setup servers tools lock clean

demo: setup
	@$(BIN)/python -m deploy.demo $(ARGS)

test: setup tools
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

bench: setup
	@$(BIN)/python -m tests.bench $(ARGS)

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

setup: $(READY) servers

$(READY): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh deploy/setup/venv.sh >&2
	@touch $@

# Programs that tests call.
tools:
	@sh deploy/setup/debian.sh curl openssl mosquitto-clients libdata-messagepack-perl >&2

servers:
	@sh deploy/setup/debian.sh $(SERVERS) >&2

# Keeps the versions that still fit; make lock ARGS=--upgrade takes the newest.
lock:
	@PYTHON="$(PYTHON)" sh deploy/setup/lock.sh $(ARGS) >&2

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
