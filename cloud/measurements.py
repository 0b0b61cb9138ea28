"""The table of what is written to InfluxDB: each measurement, its tags and fields, when, and by whom.

docs/measurements.md is printed from it, and tests hold what is written to it. A field's type never changes. A
field that is not known is left out, unless its words name a value for that.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloud.points import MEASUREMENTS as RECORDS


class Form(StrEnum):
    """What a field holds. Amounts of money are integers of minor units, times of day are UTC."""

    NUMBER = "integer"
    FLAG = "0 or 1"
    MONEY = "integer, minor units"
    SECONDS = "integer, s"
    MILLISECONDS = "integer, ms"
    TIME = "integer, ms since 1970"
    REAL = "float"
    TEXT = "text"
    BOOLEAN = "true or false"


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    form: Form
    what: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """`time`: what the time of its points is. `by`: the module that writes it."""

    name: str
    what: str
    tags: tuple[str, ...]
    time: str
    when: str
    by: str
    fields: tuple[Field, ...]


_N, _FLAG, _MONEY, _S, _MS, _TIME, _REAL, _TEXT, _BOOL = Form
_HOUR: Final = "start of the hour, UTC"
_DAY: Final = "start of the day, UTC"
_REWRITTEN: Final = "rewritten in place when something changes, and once at the start of its period"
_GAUGES: Final = "cloud/gauges/rows.py"

SAID: Final = (
    Measurement(
        "status",
        "What a machine said of its connection and tenders.",
        ("machine",),
        "arrival",
        "each status message",
        "cloud/said.py",
        (
            Field("online", _FLAG, "0: its last will"),
            *(Field(tender, _FLAG, "it can be paid with") for tender in ("cash", "card", "wallet")),
            *(
                Field(f"{tender}_why", _TEXT, "why not; empty where it can")
                for tender in ("cash", "card", "wallet")
            ),
            Field("owed", _N, "records that are not confirmed"),
            Field("parked", _N, "records that the cloud refused"),
        ),
    ),
    Measurement(
        "health",
        "How a machine is.",
        ("machine",),
        "its own",
        "each health message: on connect, on change, every 15 minutes",
        "cloud/said.py",
        (
            Field("temperature_c", _REAL, "the warmest sensor, degrees Celsius"),
            Field("cashbox_minor", _MONEY, "coins in the cash box"),
            Field("stacker_minor", _MONEY, "notes in the stacker"),
            Field("stacker_notes", _N, "how many"),
            Field("recycler_minor", _MONEY, "notes that can be given back"),
            Field("tubes_minor", _MONEY, "coins that can be given back"),
            Field("change_low", _FLAG, "only exact change is taken"),
            Field("door_open", _FLAG, "the door is open"),
            Field("lockouts", _N, "product groups, or the machine, that are not sold"),
            Field("clock", _TEXT, "synced, estimated or unknown"),
            Field("clock_offset_ms", _MS, "how far its clock is off"),
            Field("reconnects_24h", _N, "connections in the last 24 hours"),
            Field("round_trip_ms", _MS, "publish to acknowledgement, median"),
            Field("faults", _N, "open ones"),
            Field("disk_free_mb", _N, "megabytes free on its disk"),
        ),
    ),
    Measurement(
        "tube",
        "Coins of one value in a machine's tubes. The tag `coin` is the value in minor units.",
        ("machine", "coin"),
        "its own",
        "each health message",
        "cloud/said.py",
        (Field("count", _N, "coins"), Field("capacity", _N, "coins that fit")),
    ),
    Measurement(
        "stock",
        "What a machine said of its slots.",
        ("machine", "slot"),
        "its own",
        "each stock message",
        "cloud/points.py",
        (
            Field("count", _N, "products in the slot"),
            Field("capacity", _N, "products that fit"),
            Field("par", _N, "products that should be in it"),
            Field("product", _TEXT, "which"),
        ),
    ),
)
BOOKS: Final = (
    Measurement(
        "books",
        "The books of numbers.",
        ("machine",),
        "start of the 5 minutes",
        "each 5 minutes",
        "cloud/figures.py",
        (
            Field("stored", _N, "records stored"),
            Field("proven", _N, "records up to the last audit that agrees"),
            Field("waiting", _N, "records that the machine still has to send"),
            Field("missing", _N, "records that are nowhere"),
            Field("refused", _N, "records that cannot be stored"),
            Field("balanced", _BOOL, "no total differs"),
            Field("journals", _N, "journals of this machine"),
        ),
    ),
    Measurement(
        "bag",
        "A counted bag of a collection.",
        ("machine",),
        "when it was collected",
        "each 5 minutes, over itself",
        "cloud/figures.py",
        (
            Field("bag", _TEXT, "its name"),
            Field("currency", _TEXT, "of the amounts"),
            Field("expected_minor", _MONEY, "what should be in it"),
            Field("counted_minor", _MONEY, "what was counted"),
            Field("difference_minor", _MONEY, "counted less expected"),
        ),
    ),
)
GAUGES: Final = (
    Measurement(
        "machine_now",
        "A machine as it is now. While the broker is away, and two minutes longer, everybody is as he was.",
        ("machine",),
        _HOUR,
        _REWRITTEN,
        _GAUGES,
        (
            Field(
                "online",
                _FLAG,
                "0: its last will came, or its health did not for 45 minutes",
            ),
            Field("since_ms", _TIME, "of its connection, or of its last word before it fell silent"),
            Field("seen_ms", _TIME, "of its last word"),
            Field("silent_s", _S, "0 while it is online; whole minutes"),
            *(Field(tender, _FLAG, "it can be paid with") for tender in ("cash", "card", "wallet")),
            *(
                Field(f"{tender}_why", _TEXT, "why not; empty where it can")
                for tender in ("cash", "card", "wallet")
            ),
            Field("last_sale_ms", _TIME, "of its newest sale, free and test vends aside"),
            Field("quiet_s", _S, "since that sale; whole minutes; until the last word of a silent one"),
            Field(
                "missed_sales",
                _REAL,
                "sales usual in that time, by its own last four weeks; -1: unknown",
            ),
            Field("vends_24h", _N, "sales of the last 24 hours, free and test vends aside"),
            Field("failed_24h", _N, "failed vends of the last 24 hours, tests aside"),
            Field("stock_percent", _N, "of the slots' pars"),
            Field("slots", _N, "slots with a par"),
            Field("slots_low", _N, "at or below a quarter of par, empty ones too"),
            Field("slots_empty", _N, "with nothing in them"),
            Field(
                "runout_h",
                _REAL,
                "hours to the next empty slot, at the last week's rate; -1: unknown",
            ),
            Field("change_minor", _MONEY, "tubes and recycler: what can be given back"),
            Field("change_low", _FLAG, "only exact change is taken"),
            Field("temperature_c", _REAL, "the warmest sensor, degrees Celsius"),
            Field("lockout", _FLAG, "a product group, or the machine, is not sold"),
            Field("door_open", _FLAG, "the door is open"),
            Field("door_s", _S, "since then, 0 while it is shut; whole minutes"),
            Field("jams", _N, "open faults that are jams, and slots whose last run of 24 hours jammed"),
            Field("faults", _N, "open ones"),
            Field("owed", _N, "records that are not confirmed, as it said last"),
            Field("parked", _N, "records that the cloud refused, as it said last"),
            Field("waiting", _N, "records that it still has to send"),
            Field("missing", _N, "records that are nowhere"),
            Field("disagreements", _N, "slots where prices wanted, applied and charged differ"),
            Field("software", _TEXT, "its version"),
            Field("clock", _TEXT, "synced, estimated or unknown"),
            Field("money_in_minor", _MONEY, "tubes, recycler, cash box and stacker"),
        ),
    ),
    Measurement(
        "slot_now",
        "A slot as it is now.",
        ("machine", "slot"),
        _DAY,
        _REWRITTEN,
        _GAUGES,
        (
            Field("count", _N, "products in the slot"),
            Field("capacity", _N, "products that fit"),
            Field("par", _N, "products that should be in it"),
            Field("bring", _N, "products up to par"),
            Field("product", _TEXT, "which"),
            Field("sold_7d", _N, "vends of seven days, tests aside; an hour old at most"),
            Field("runout_days", _REAL, "until it is empty at that rate; -1: unknown, or nothing was sold"),
            Field("low", _FLAG, "at or below a quarter of par"),
            Field("empty", _FLAG, "nothing in it"),
        ),
    ),
    Measurement(
        "tube_now",
        "Coins of one value in a machine's tubes, as they are now.",
        ("machine", "coin"),
        _DAY,
        _REWRITTEN,
        _GAUGES,
        (
            Field("count", _N, "coins"),
            Field("capacity", _N, "coins that fit, where the machine knows"),
            Field("bring", _N, "coins that a week uses beyond what is there, at most what fits"),
            Field("used_7d", _N, "coins that left the tubes in seven days, whoever took them"),
        ),
    ),
    Measurement(
        "cloud",
        "A process of the cloud. The tag is `desk`, or `worker-1` and so on.",
        ("process",),
        "now",
        "each 15 seconds",
        "cloud/gauges/process.py",
        (
            Field("ready", _FLAG, "nothing keeps it from its work"),
            Field("broker_connected", _FLAG, "it is connected to the broker"),
            Field("influx_ok", _FLAG, "InfluxDB took the last records"),
            Field("messages", _N, "taken in since it started"),
            Field("records", _N, "stored since it started"),
            Field("dead_letters", _N, "kept since it started"),
            Field("lag_p50_ms", _MS, "a sale's own time to stored, of live ones since the last point"),
            Field("lag_p99_ms", _MS, "the same"),
            Field("lag_max_ms", _MS, "the same"),
            Field("inbox", _N, "messages that wait for a batch"),
            Field("influx_write_p99_ms", _MS, "write requests since the last point"),
            Field(
                "oldest_dirty_s",
                _S,
                "of the oldest record that may not be in the rollups; 0: all are",
            ),
            Field("started_ms", _TIME, "of its start"),
        ),
    ),
    Measurement(
        "broker",
        "Mosquitto, by its own words below `$SYS`.",
        (),
        "now",
        "each 15 seconds, by the desk",
        "cloud/gauges/process.py",
        (
            Field("clients", _N, "connected"),
            Field("stored_messages", _N, "in its store, retained ones too"),
            Field("queued_messages", _N, "in its store and not retained"),
            Field("dropped", _N, "since it started"),
            Field("received_rate", _REAL, "messages a second, over the last minute"),
        ),
    ),
)
_ZONE_HOUR: Final = "start of the hour in the operator's zone"
_LATE_TOO: Final = "seconds after a record of the hour came, rewritten whole: late sales too"
_SUMS: Final = (
    Field("sales", _N, "delivered or in doubt; free and test vends left out"),
    Field("sold_minor", _MONEY, "paid for them"),
)
ROLLUPS: Final = (
    Measurement(
        "sales_hour",
        "An hour's sales of a machine; `_all` is the fleet.",
        ("machine", "currency"),
        _ZONE_HOUR,
        _LATE_TOO,
        "cloud/rollups/sums.py",
        (
            *_SUMS,
            *(
                Field(f"{tender}_{what}", form, words)
                for tender in ("cash", "card", "wallet")
                for what, form, words in (
                    ("sales", _N, f"paid with {tender} alone"),
                    ("minor", _MONEY, f"paid with {tender}, parts of mixed sales too"),
                )
            ),
            Field("mixed_sales", _N, "paid with more than one tender"),
            Field("free_sales", _N, "given away"),
            Field("test_sales", _N, "a technician's"),
            Field("late_sales", _N, "of the sales: made while the machine had no link"),
            Field("failed", _N, "vends that failed"),
            Field("refunded_minor", _MONEY, "given back on cards"),
            Field("weekday", _N, "1 is Monday, in the zone"),
            Field("hour", _N, "0 to 23, in the zone"),
        ),
    ),
    Measurement(
        "product_hour",
        "The same by product.",
        ("machine", "product", "currency"),
        _ZONE_HOUR,
        _LATE_TOO,
        "cloud/rollups/sums.py",
        (*_SUMS, Field("failed", _N, "vends that failed")),
    ),
)

ALL: Final = (*GAUGES, *ROLLUPS, *SAID, *BOOKS)


def record_kinds() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Of each record kind its name, tags and fields: one point a record, at the record's own time."""
    found = []
    for name, row in RECORDS.items():
        extra = ("tender",) if name == "sale" else ()
        fields = {
            "sale": tuple(f"{tender}_minor" for tender in ("cash", "card", "wallet", "free", "test")),
            "audit": ("slots",),
        }.get(name, ())
        found.append((name, ("machine", "epoch", *row.tags, *extra), ("seq", "clock", *row.fields, *fields)))
    return found
