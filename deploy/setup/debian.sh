#!/bin/sh
# Installs the named Debian packages where missing: as root, or with sudo that asks nothing.
# Otherwise prints the one command to run.
set -eu
missing=""
for package in "$@"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
        missing="$missing $package"
    fi
done
[ -z "$missing" ] && exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "Debian packages are missing; run this once, then try again:"
    echo "    sudo apt-get update && sudo $install"
    exit 1
fi
echo "installing Debian packages:$missing"
$sudo apt-get -qq update
DEBIAN_FRONTEND=noninteractive $sudo $install >/dev/null
echo "note: Debian may start these as system services; Vendlink starts its own and does not use them"
