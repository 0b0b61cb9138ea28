#!/bin/sh
# Mosquitto, told to read rights and revocation list again whenever they were written: no other container may send it
# a signal.
#     broker.sh CONFIGURATION FOLDER
set -eu
written() { cat "$1/acl" "$1/crl.pem" | cksum; }

seen=$(written "$2")
mosquitto -c "$1" &
broker=$!
trap 'kill -TERM "$broker"' TERM INT
while kill -0 "$broker" 2>/dev/null; do
    sleep 1 &
    wait $! || true
    now=$(written "$2" 2>/dev/null) || continue
    if [ "$now" != "$seen" ]; then
        seen=$now
        kill -HUP "$broker" 2>/dev/null || true
    fi
done
wait "$broker"
