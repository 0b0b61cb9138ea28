#!/bin/sh
# Resolves the dependencies of pyproject.toml into requirements.lock, with hashes, for every platform.
set -eu
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check uv
"$tools/bin/uv" pip compile pyproject.toml --quiet --universal --generate-hashes --all-extras \
    --no-annotate --no-header --python-version 3.11 -o requirements.lock "$@" >/dev/null
