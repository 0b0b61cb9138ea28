#!/bin/sh
# Installs the machine's controller on a Raspberry Pi (64 bit) or any Debian machine, or another version of it:
#     sudo sh deploy/install-edge.sh [--wheels DIR] [--root DIR]
# Said again it changes nothing. Settings and journal stay as they are; a running machine goes on until it is restarted.
set -eu
program=edge account=vend-edge settings=edge.toml
. "$(dirname "$0")/setup/install.sh"

read_arguments "$@"
check
place_version
make_users
place_settings
mkdir -p "$root/var/lib/vendlink"
chmod 750 "$root/var/lib/vendlink"
owned vend-edge:vend-edge "$root/var/lib/vendlink"
place_units vend-edge.service
change_over
systemctl ${root:+"--root=$root"} --quiet enable vend-edge.service
[ -n "$root" ] || systemctl daemon-reload

say "version $release is in place"
if [ -n "$is_new" ]; then
    say "next: write what this machine is into /etc/vendlink/edge.toml; then: vend-edge doctor; systemctl start vend-edge"
elif [ "$before" != "$release" ]; then
    say "next, when nobody buys: systemctl restart vend-edge"
fi
