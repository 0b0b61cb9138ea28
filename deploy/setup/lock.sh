#!/bin/sh
# Resolves the dependencies of pyproject.toml into requirements.lock, with hashes, for every platform; and picks of
# these what each program needs where it is installed: deploy/locks.
set -eu
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check uv
resolve() {
    "$tools/bin/uv" pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
        --python-version 3.11 "$@" >/dev/null
}
resolve pyproject.toml --all-extras -o requirements.lock "$@"
for program in edge cloud; do
    resolve pyproject.toml --extra "$program" -c requirements.lock -o "deploy/locks/$program.lock"
done
echo setuptools | resolve - -c requirements.lock -o deploy/locks/build.lock
