#!/bin/sh
# Makes .venv, or brings the one that is there up to the lock: every package by its hash, ours as an editable
# install. In place, so that a program running from it lives through a changed lock.
set -eu
python=${PYTHON:-python3}

if ! command -v "$python" >/dev/null; then
    echo "there is no $python here; Vendlink needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$python is $("$python" -V 2>&1); Vendlink needs 3.11 or newer: make PYTHON=/path/to/python3.11 ..."
    exit 1
fi
# Debian keeps ensurepip, and with it a working venv, in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    sh deploy/setup/debian.sh python3-venv ${DEBIAN:-}
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        echo "$python has no ensurepip; name a complete Python: make PYTHON=/path/to/python3.11 ..."
        exit 1
    fi
fi

version='import sys; print(sys.version_info[:2])'
clear=""
if [ "$(.venv/bin/python -c "$version" 2>/dev/null)" != "$("$python" -c "$version")" ]; then
    clear="--clear"
fi
echo "setting up .venv (about half a minute the first time)"
"$python" -m venv $clear .venv
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
if ! pip install --require-hashes --no-deps -r requirements.lock ||
    ! pip install --no-deps --no-build-isolation -e .; then
    echo "the Python packages could not be installed; pip's reason stands above"
    exit 1
fi
