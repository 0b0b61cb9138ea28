#!/bin/sh
# Once, before the first `docker compose up`: secrets into deploy/.env, the authority and all certificates.
#     sh deploy/first-run.sh HOST [ZONE]
# HOST is the name or address at which machines reach this computer, ZONE where the operator's days begin (UTC). Nothing that is there is overwritten: .env is written
# last, and where it is the first run is done.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compose=${COMPOSE:-docker compose}
env=$here/.env

say() { echo "$@" >&2; }
secret() { od -An -v -tx1 -N 24 /dev/urandom | tr -d ' \n'; }

host=${1:-}
case $host in
"" | -* | *[!A-Za-z0-9.-]*)
    say "say at which name or address machines reach this computer: sh $0 broker.example"
    exit 2
    ;;
esac
zone=${2:-UTC}
case $zone in
-* | *[!A-Za-z0-9_/+-]*)
    say "$zone is no time zone; write it as Europe/Berlin"
    exit 2
    ;;
esac
if [ -e "$env" ]; then
    say "$env is there: the first run is done, and nothing was changed"
    exit 1
fi
umask 077
trap 'rm -f "$env.new"' EXIT
cat >"$env.new" <<END
# Made by first-run.sh. All secrets of this installation: keep a copy where nobody else can read it.
VEND_HOST=$host
# Of hours and days in the dashboards. After a change: up -d, and \`vend-cloud rollups --rebuild\`.
TIME_ZONE=$zone
# Where Grafana sends alerts; mail needs its GF_SMTP_ variables as well. These lead nowhere.
ALERT_MAIL=nobody@localhost
ALERT_WEBHOOK=http://localhost:9/
INFLUX_URL=http://influxdb:8086
INFLUX_DATABASE=vending
# Grafana, which may read.
INFLUX_USER=reader
INFLUX_SECRET=$(secret)
# The cloud, which may read and write.
INFLUX_WRITER_SECRET=$(secret)
# InfluxDB's administrator "admin", for its own web page and command line.
INFLUX_ADMIN_SECRET=$(secret)
INFLUX_ADMIN_TOKEN=$(secret)
# Grafana's administrator "admin".
GRAFANA_ADMIN_SECRET=$(secret)
END

command() { $compose --env-file "$env.new" --file "$here/compose.yaml" "$@"; }
setup() {
    command run --rm --no-deps setup "$@" && return 0
    say "the first run is not done; the reason stands above. What an earlier one left, which nothing uses yet, goes with"
    say "    docker volume rm vendlink_broker vendlink_broker-data vendlink_ca vendlink_data vendlink_tls"
    exit 1
}
command build cloud
setup ca init
setup ca broker --name "$host" --name broker
setup ca cloud
mv "$env.new" "$env"
say "done. Next: $compose -f $here/compose.yaml up -d; then http://127.0.0.1:3000, admin and GRAFANA_ADMIN_SECRET of $env"
