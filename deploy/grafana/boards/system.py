"""System: does what is sold arrive, how fast, and what is in the way?"""

from deploy.grafana.rows import Dashboard, Kind, Look, Panel, Unit, Word

_WELL = (Word("1", "well", "green"), Word("0", "away", "red"))
_RECENT = "time > now() - 5m"


def _rate(counter: str, name: str) -> str:
    return (
        f'SELECT non_negative_derivative(max("{counter}"), 1s) AS "{name}" FROM "cloud" '
        'WHERE $timeFilter GROUP BY time($__interval), "process" fill(none)'
    )


def _lines(columns: str, measurement: str) -> str:
    return f'SELECT {columns} FROM "{measurement}" WHERE $timeFilter GROUP BY time($__interval) fill(none)'


def _now() -> tuple[Panel, ...]:
    return (
        Panel(
            "Broker and database",
            "Does the cloud reach the broker and InfluxDB?",
            Kind.NUMBER,
            (
                (
                    'SELECT min("broker_connected") AS "broker", min("influx_ok") AS "InfluxDB" '
                    f'FROM "cloud" WHERE {_RECENT}'
                ),
            ),
            words=_WELL,
            width=8,
        ),
        Panel(
            "Sale to stored",
            "How long does a sale take to be stored, the slowest of five minutes?",
            Kind.NUMBER,
            (f'SELECT max("lag_max_ms") AS "slowest" FROM "cloud" WHERE {_RECENT}',),
            Unit.MILLISECONDS,
            width=8,
        ),
        Panel(
            "Dead letters",
            "How many messages could not be used in this period?",
            Kind.NUMBER,
            (
                (
                    'SELECT sum("more") AS "dead letters" FROM '
                    '(SELECT non_negative_difference(max("dead_letters")) AS "more" '
                    'FROM "cloud" WHERE $timeFilter GROUP BY time(1m), "process")'
                ),
            ),
            width=8,
        ),
    )


def dashboard(_look: Look) -> Dashboard:
    return Dashboard(
        "vend-system",
        "System",
        "Does what is sold arrive?",
        (
            *_now(),
            Panel(
                "Ingest rate (records/s)",
                "How many records are stored a second, by process?",
                Kind.LINES,
                (_rate("records", "records"),),
                Unit.RATE,
                alias="$tag_process",
            ),
            Panel(
                "Lag from sale to stored",
                "How long from the sale itself to its point in InfluxDB?",
                Kind.LINES,
                (
                    _lines(
                        'max("lag_p50_ms") AS "half", max("lag_p99_ms") AS "99 of 100", '
                        'max("lag_max_ms") AS "slowest"',
                        "cloud",
                    ),
                ),
                Unit.MILLISECONDS,
            ),
            Panel(
                "Queue at the broker",
                "How much waits at the broker for somebody who is away?",
                Kind.LINES,
                (_lines('max("stored_messages") AS "stored", max("queued_messages") AS "queued"', "broker"),),
            ),
            Panel(
                "Broker",
                "How many clients are connected, how much comes in, was anything dropped?",
                Kind.LINES,
                (
                    _lines(
                        'last("clients") AS "clients", max("received_rate") AS "received/s", '
                        'max("dropped") AS "dropped"',
                        "broker",
                    ),
                ),
            ),
            Panel(
                "InfluxDB",
                "How long does a write take?",
                Kind.LINES,
                (_lines('max("influx_write_p99_ms") AS "write, 99 of 100"', "cloud"),),
                Unit.MILLISECONDS,
            ),
            Panel(
                "Waiting in the cloud",
                "Do messages pile up, and how old is the oldest figure that is not rewritten yet?",
                Kind.LINES,
                (_lines('max("inbox") AS "inbox", max("oldest_dirty_s") AS "oldest figure (s)"', "cloud"),),
            ),
        ),
        since="now-6h",
        refresh="30s",
    )
