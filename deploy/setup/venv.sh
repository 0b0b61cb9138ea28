#!/bin/sh
# Makes .venv from the lock: every package by its hash, ours as an editable install.
set -eu
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Vendlink needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 ..."
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    sh deploy/setup/debian.sh python3-venv
fi
echo "setting up .venv"
"$python" -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
