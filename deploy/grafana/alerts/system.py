"""What is wrong with the cloud, its broker or its database."""

from typing import Final

from deploy.grafana.alerts.rule import ADMIN, Rule, V

SYSTEM: Final = (
    Rule(
        "vend-cloud-silent",
        "The cloud is silent",
        'SELECT (1 - min("ready")) * min("broker_connected") * min("influx_ok") '
        'FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "No cloud process says anything, or one cannot work. Sales wait at the machines, none is lost.",
        "Look at `vend-cloud` on the server: does it run, what does /ready say, is the disk full?",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=300,
        silence_fires=True,
    ),
    Rule(
        "vend-broker-away",
        "The broker is away",
        'SELECT 1 - min("broker_connected") FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "The cloud, or one process of it, is cut off the broker. Machines sell on, and look as before.",
        "Start the broker; look at its log, its certificate and the network of its server.",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=120,
    ),
    Rule(
        "vend-influx-away",
        "InfluxDB is away",
        'SELECT 1 - min("influx_ok") FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "InfluxDB does not take or give data. Sales wait, none is lost; other alerts keep their last state.",
        "Start InfluxDB; look at its log, at the disk, and at user and secret in the settings.",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=120,
        error_fires=True,
    ),
    Rule(
        "vend-cloud-lag",
        "Sales arrive slowly",
        'SELECT max("lag_p99_ms") FROM "cloud" WHERE $timeFilter',
        10_000,
        "10m",
        f"Of 100 sales that were just made, one takes more than {V} ms until it is stored.",
        "Look at System: does the inbox grow, are writes to InfluxDB slow, is the server busy?",
        ADMIN,
        "vend-system",
        window_s=300,
    ),
    Rule(
        "vend-dead-letters",
        "Messages that cannot be used",
        'SELECT sum("more") FROM (SELECT non_negative_difference(max("dead_letters")) AS "more" FROM "cloud" '
        'WHERE $timeFilter GROUP BY time(1m), "process")',
        0,
        "0s",
        f"{V} messages came within the last hour that could not be stored. They are kept, with the reason.",
        "`vend-cloud dead-letters` says which and why; a newer machine program needs a newer cloud.",
        ADMIN,
        "vend-system",
        window_s=3_600,
    ),
)
