#!/bin/sh
# Everything that an installation needs beside Debian's Python, in a folder to carry there:
#     sh deploy/wheels.sh edge DIR        for install-edge.sh --wheels DIR
#     sh deploy/wheels.sh cloud DIR       for install-cloud.sh --wheels DIR
# Run it where there is a network, on a computer with the Python version and processor of those that DIR is for, or
# name them to pip behind DIR: --platform manylinux_2_28_aarch64 --python-version 3.11. Packages by their hashes.
set -eu
say() { echo "$@" >&2; }

if [ $# -lt 2 ] || { [ "$1" != edge ] && [ "$1" != cloud ]; }; then
    say "say what for and where: sh deploy/wheels.sh edge DIR"
    exit 2
fi
program=$1 to=$2
shift 2
python=${PYTHON:-python3}
source=$(dirname "$0")/..
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ -e "$to" ]; then
    say "$to is there already; name a new folder"
    exit 1
fi
"$python" -m venv "$scratch/venv"
pip() { "$scratch/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install --require-hashes --no-deps -r "$source/deploy/locks/build.lock"
# From a copy: what an earlier build left in the folder would get into this one.
mkdir "$scratch/source"
for part in pyproject.toml README.md LICENSE edge cloud shared; do
    cp -R "$source/$part" "$scratch/source/"
done
pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch/wheels" "$scratch/source"
pip download --require-hashes --no-deps --only-binary :all: --dest "$scratch/wheels" \
    -r "$source/deploy/locks/$program.lock" "$@"
cp "$source/deploy/locks/$program.lock" "$scratch/wheels/"
mkdir -p "$(dirname "$to")"
cp -R "$scratch/wheels" "$to.part"
mv "$to.part" "$to"
say "$to has all that $program needs"
