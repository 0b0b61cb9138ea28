#!/bin/bash
# Run once by InfluxDB's image when the database is new. The cloud reads and writes the one bucket, Grafana reads it, and
# neither can do anything else.
set -euo pipefail
bucket=$DOCKER_INFLUXDB_INIT_BUCKET_ID
influx v1 auth create --org "$DOCKER_INFLUXDB_INIT_ORG" --username writer --password "$INFLUX_WRITER_SECRET" \
    --read-bucket "$bucket" --write-bucket "$bucket" >/dev/null
influx v1 auth create --org "$DOCKER_INFLUXDB_INIT_ORG" --username "$INFLUX_USER" --password "$INFLUX_SECRET" \
    --read-bucket "$bucket" >/dev/null
