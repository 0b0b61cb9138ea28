"""One machine: what happened, from its records; what it holds and how it is, from what it says of itself."""

from deploy.grafana.parts import CURRENCY, NOW_DAILY, NOW_HOURLY, OF_ONE, ONE_MACHINE, newest
from deploy.grafana.rows import (
    LATE,
    MERGE_STEP,
    NOT_KNOWN,
    ONLINE,
    OPEN,
    TAKES,
    TIME,
    TROUBLE,
    Column,
    Dashboard,
    Kind,
    Look,
    Panel,
    Unit,
    sort_step,
)


def _records(columns: str, kind: str) -> str:
    return f'SELECT {columns} FROM "{kind}" WHERE $timeFilter AND {OF_ONE} ORDER BY time DESC LIMIT 200'


def _line(value: str) -> str:
    return (
        f'SELECT {value} FROM "health" WHERE $timeFilter AND {OF_ONE} GROUP BY time($__interval) fill(none)'
    )


def _story(look: Look) -> Panel:
    """Each kind of record has columns of its own; merged they are one timeline."""
    return Panel(
        "What happened ($currency)",
        "What did it sell, what failed, who was there, which prices came into force?",
        Kind.TABLE,
        (
            _records(
                f'"product" AS "sold", "paid_minor" / {look.minor} AS "paid", "link_down" AS "late", '
                '"tender"',
                "sale",
            ),
            _records('"product" AS "failed", "reason" AS "why"', "vend_failed"),
            _records('"device", "code" AS "fault"', "fault"),
            _records('"device", "code" AS "fault ended"', "fault_cleared"),
            _records('"event" AS "visit"', "visit"),
            _records('"open" AS "door"', "door"),
            _records('"event" AS "lockout", "name" AS "of"', "lockout"),
            _records('"price_version" AS "price list"', "applied"),
            _records('"software" AS "start"', "boot"),
        ),
        columns=(
            TIME,
            Column("sold"),
            Column("paid", Unit.MONEY),
            Column("tender"),
            Column("late", words=LATE),
            Column("failed"),
            Column("why"),
            Column("device"),
            Column("fault"),
            Column("fault ended"),
            Column("visit"),
            Column("door", words=OPEN),
            Column("lockout"),
            Column("of"),
            Column("price list"),
            Column("start"),
        ),
        steps=(MERGE_STEP, sort_step("Time", falling=True)),
        height=16,
    )


def _now(look: Look) -> Panel:
    return Panel(
        "Now",
        "Is it online and since when, what does it take and why not the rest?",
        Kind.TABLE,
        (
            newest(
                '"online" AS "state", "since_ms" AS "since", "cash", "cash_why" AS "why no cash", "card", '
                '"card_why" AS "why no card", "wallet", "wallet_why" AS "why no wallet", '
                f'"money_in_minor" / {look.minor} AS "money in it", "door_open" AS "door open", "lockout", '
                '"clock", "software"',
                "machine_now",
                f"{NOW_HOURLY} AND {OF_ONE}",
            ),
        ),
        columns=(
            Column("state", words=ONLINE),
            Column("since", Unit.AGO),
            Column("cash", words=TAKES),
            Column("card", words=TAKES),
            Column("wallet", words=TAKES),
            Column("why no cash"),
            Column("why no card"),
            Column("why no wallet"),
            Column("money in it", Unit.MONEY),
            Column("door open", words=TROUBLE),
            Column("lockout", words=TROUBLE),
            Column("clock"),
            Column("software"),
        ),
        height=4,
    )


def _holds(look: Look) -> tuple[Panel, ...]:
    minor = look.minor
    return (
        Panel(
            "Stock by slot",
            "What is left in each slot, and for how long?",
            Kind.TABLE,
            (
                newest(
                    '"product", "count", "par", "capacity", "bring", "sold_7d" AS "sold in 7 days", '
                    '"runout_days" AS "days left"',
                    "slot_now",
                    f"{NOW_DAILY} AND {OF_ONE}",
                    "slot",
                ),
            ),
            columns=(
                Column("slot"),
                Column("product"),
                *(Column(name, Unit.COUNT) for name in ("count", "par", "capacity", "bring")),
                Column("sold in 7 days", Unit.COUNT),
                Column("days left", Unit.DAYS, NOT_KNOWN),
            ),
            sort="slot",
            rising=True,
        ),
        Panel(
            "Tubes",
            "How many coins are in each tube, and how many would the usual week need?",
            Kind.TABLE,
            (newest('"count", "capacity", "bring"', "tube_now", f"{NOW_DAILY} AND {OF_ONE}", "coin"),),
            columns=(
                Column("coin"),
                *(Column(name, Unit.COUNT) for name in ("count", "capacity", "bring")),
            ),
        ),
        Panel(
            "Cash in it ($currency)",
            "How much is in tubes, cash box, stacker and recycler?",
            Kind.SHARES,
            (
                (
                    f'SELECT last("tubes_minor") / {minor} AS "tubes", '
                    f'last("cashbox_minor") / {minor} AS "cash box", '
                    f'last("stacker_minor") / {minor} AS "stacker", '
                    f'last("recycler_minor") / {minor} AS "recycler" '
                    f'FROM "health" WHERE {NOW_DAILY} AND {OF_ONE}'
                ),
            ),
            Unit.MONEY,
        ),
    )


def dashboard(look: Look) -> Dashboard:
    hours = f'FROM "sales_hour" WHERE $timeFilter AND {OF_ONE} AND "currency" = \'$currency\''
    return Dashboard(
        "vend-machine",
        "One machine",
        "What happened at this machine, what does it hold, how is it?",
        (
            Panel(
                "Sold ($currency)",
                "How much did it sell?",
                Kind.NUMBER,
                (f'SELECT sum("sold_minor") / {look.minor} AS "sold" {hours}',),
                Unit.MONEY,
                width=8,
            ),
            Panel(
                "Vends",
                "How many products, and how many failed?",
                Kind.NUMBER,
                (f'SELECT sum("sales") AS "vends", sum("failed") AS "failed" {hours}',),
                width=8,
            ),
            Panel(
                "Records",
                "Is everything it did accounted for?",
                Kind.NUMBER,
                (
                    (
                        'SELECT last("proven") AS "proven", last("waiting") AS "waiting", '
                        f'last("missing") AS "missing" FROM "books" WHERE {NOW_HOURLY} AND {OF_ONE}'
                    ),
                ),
                width=8,
            ),
            _now(look),
            _story(look),
            *_holds(look),
            Panel(
                "Temperature",
                "How warm was the warmest place?",
                Kind.LINES,
                (_line('max("temperature_c") AS "highest"'),),
                Unit.CELSIUS,
            ),
            Panel(
                "Link",
                "How long does a message take, and how often was the connection lost in a day?",
                Kind.LINES,
                (
                    _line('max("round_trip_ms") AS "round trip (ms)"'),
                    _line('max("reconnects_24h") AS "reconnects"'),
                ),
            ),
            Panel(
                "Clock",
                "How far is its clock from the right time?",
                Kind.LINES,
                (_line('last("clock_offset_ms") AS "offset"'),),
                Unit.MILLISECONDS,
            ),
        ),
        (ONE_MACHINE, CURRENCY),
        since="now-24h",
    )
