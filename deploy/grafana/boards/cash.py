"""Cash: what should be in the machines now, what was collected, and what was over or short."""

from deploy.grafana.parts import CURRENCY, CURRENCY_IS, NOW_DAILY, NOW_HOURLY, each_last, newest
from deploy.grafana.rows import MACHINE, TIME, Column, Dashboard, Kind, Look, Panel, Unit

_PLACES = {
    "tubes_minor": "tubes",
    "cashbox_minor": "cash box",
    "stacker_minor": "stacker",
    "recycler_minor": "recycler",
}


def _now(minor: int) -> tuple[Panel, ...]:
    money = each_last(("money_in_minor",), "machine_now", NOW_HOURLY, "machine")
    places = each_last(tuple(_PLACES), "health", NOW_DAILY, "machine")
    sums = ", ".join(f'sum("{field}") / {minor} AS "{place}"' for field, place in _PLACES.items())
    each = ", ".join(f'"{field}" / {minor} AS "{place}"' for field, place in _PLACES.items())
    return (
        Panel(
            "In the machines now ($currency)",
            "How much cash is out there?",
            Kind.NUMBER,
            (f'SELECT sum("money_in_minor") / {minor} AS "cash" FROM {money}',),
            Unit.MONEY,
        ),
        Panel(
            "Where it is ($currency)",
            "How much is in tubes, cash boxes, stackers and recyclers?",
            Kind.SHARES,
            (f"SELECT {sums} FROM {places}",),
            Unit.MONEY,
        ),
        Panel(
            "Expected in each machine ($currency)",
            "How much should be in each place of each machine?",
            Kind.TABLE,
            (newest(f'{each}, "stacker_notes" AS "notes"', "health", NOW_DAILY, "machine"),),
            columns=(
                MACHINE,
                *(Column(place, Unit.MONEY) for place in _PLACES.values()),
                Column("notes", Unit.COUNT),
            ),
            sort="machine",
            rising=True,
        ),
    )


def _collected(minor: int) -> tuple[Panel, ...]:
    collected = f'FROM "collection" WHERE $timeFilter AND {CURRENCY_IS}'
    bags = f'FROM "bag" WHERE $timeFilter AND {CURRENCY_IS}'
    return (
        Panel(
            "Over or short ($currency)",
            "Did the cash come back? Counted less expected, of all bags that were counted.",
            Kind.NUMBER,
            (f'SELECT sum("difference_minor") / {minor} AS "difference" {bags}',),
            Unit.MONEY,
        ),
        Panel(
            "Bags",
            "How many bags were collected, and how many were counted?",
            Kind.NUMBER,
            (
                f'SELECT count("bag") AS "collected" {collected}',
                f'SELECT count("bag") AS "counted" {bags}',
            ),
            width=12,
        ),
        Panel(
            "Counted bags ($currency)",
            "Which bag was over or short?",
            Kind.TABLE,
            (
                (
                    f'SELECT "machine", "bag", "expected_minor" / {minor} AS "expected", '
                    f'"counted_minor" / {minor} AS "counted", '
                    f'"difference_minor" / {minor} AS "difference" {bags}'
                ),
            ),
            columns=(
                TIME,
                MACHINE,
                Column("bag"),
                *(Column(name, Unit.MONEY) for name in ("expected", "counted", "difference")),
            ),
            sort="difference",
            rising=True,
        ),
        Panel(
            "Collections ($currency)",
            "When was what taken out of which machine, and what stayed as float?",
            Kind.TABLE,
            (
                (
                    f'SELECT "machine", "bag", "cashbox_minor" / {minor} AS "cash box", '
                    f'"stacker_minor" / {minor} AS "stacker", "tubes_minor" / {minor} AS "tubes stay", '
                    f'"recycler_minor" / {minor} AS "recycler stays" {collected} ORDER BY time DESC LIMIT 200'
                ),
            ),
            columns=(
                TIME,
                MACHINE,
                Column("bag"),
                *(
                    Column(name, Unit.MONEY)
                    for name in ("cash box", "stacker", "tubes stay", "recycler stays")
                ),
            ),
        ),
    )


def _moved(minor: int) -> tuple[Panel, ...]:
    def total(kind: str, field: str, name: str) -> str:
        return (
            f'SELECT sum("{field}") / {minor} AS "{name}" FROM "{kind}" WHERE $timeFilter AND {CURRENCY_IS}'
        )

    return (
        Panel(
            "Cash that moved ($currency)",
            "How much came in as coins and notes, and how much was paid out?",
            Kind.SHARES,
            (
                total("cash_in", "value_minor", "cash in"),
                total("payout", "paid_minor", "paid out"),
            ),
            Unit.MONEY,
        ),
        Panel(
            "Owed to customers ($currency)",
            "How much could not be given back, and how much of it is settled?",
            Kind.NUMBER,
            (
                total("owed", "amount_minor", "owed"),
                total("claim_used", "amount_minor", "used"),
                total("claim_paid", "amount_minor", "paid"),
            ),
            Unit.MONEY,
            width=24,
        ),
    )


def dashboard(look: Look) -> Dashboard:
    minor = look.minor
    now, (over, bags, *tables) = _now(minor), _collected(minor)
    return Dashboard(
        "vend-cash",
        "Cash",
        "Where is the cash, and did it come back?",
        (now[0], over, bags, *now[1:], *tables, *_moved(minor)),
        (CURRENCY,),
        since="now-28d",
        refresh="5m",
    )
