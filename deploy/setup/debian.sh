#!/bin/sh
# Installs Debian packages whose program is missing: as root, or with sudo that asks nothing. Otherwise prints
# the one command to run.
set -eu

is_here() {
    case $1 in
    # /usr/sbin is not on a user's PATH
    mosquitto) [ -n "${VEND_MOSQUITTO:-}" ] || PATH="$PATH:/usr/sbin:/sbin" command -v mosquitto ;;
    influxdb) [ -n "${VEND_INFLUXD:-}" ] || command -v influxd ;;
    curl | openssl) command -v "$1" ;;
    mosquitto-clients) command -v mosquitto_sub ;;
    libdata-messagepack-perl) perl -MData::MessagePack -e 1 2>&1 ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep 'ok installed' ;;
    esac >/dev/null
}

missing=""
for package in "$@"; do
    is_here "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing:$missing. Here is no apt-get; install them, and name the programs where they are not on the PATH:"
    echo "    export VEND_MOSQUITTO=/path/to/mosquitto VEND_INFLUXD=/path/to/influxd"
    exit 1
fi
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "Debian packages are missing. Run this once, as root, then try again:"
    echo "    apt-get update && $install"
    exit 1
fi

echo "installing Debian packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $sudo apt-get -qq update && $sudo env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1; then
    tail -n 20 "$log"
    echo "apt-get could not install:$missing"
    exit 1
fi
if [ -d /run/systemd/system ]; then
    case $missing in *mosquitto* | *influxdb*)
        echo "Debian starts mosquitto and influxdb as services; Vendlink starts its own and never uses those. To stop them:"
        echo "    systemctl disable --now mosquitto influxdb"
        ;;
    esac
fi
