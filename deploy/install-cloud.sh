#!/bin/sh
# Installs the cloud program as systemd services, or another version of it; deploy/compose.yaml is the other way.
#     sudo sh deploy/install-cloud.sh [--wheels DIR] [--root DIR]
# Mosquitto and InfluxDB are installed apart. Said again it changes nothing. RUNBOOK.md goes on from here.
set -eu
program=cloud account=vend-cloud settings=cloud.toml
. "$(dirname "$0")/setup/install.sh"

read_arguments "$@"
check
place_version
make_users
place_settings
install -D -m 644 "$here/systemd/vendlink-cloud.tmpfiles.conf" "$root/usr/lib/tmpfiles.d/vendlink-cloud.conf"
place_units vend-cloud.service vend-cloud-worker@.service vend-signer.service \
    vend-broker-reload.path vend-broker-reload.service
change_over
systemctl ${root:+"--root=$root"} --quiet enable vend-cloud.service vend-broker-reload.path
if [ -z "$root" ]; then
    systemd-tmpfiles --create vendlink-cloud.conf
    systemctl daemon-reload
fi

say "version $release is in place"
if [ -n "$is_new" ]; then
    say "next: /etc/vendlink/cloud.toml, then \"The first start\" in RUNBOOK.md"
elif [ "$before" != "$release" ]; then
    say "next: systemctl restart vend-cloud vend-signer"
fi
