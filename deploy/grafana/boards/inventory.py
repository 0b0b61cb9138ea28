"""Inventory and route: what is left, for how long, what to bring. What is so now."""

from deploy.grafana.parts import NOW_DAILY, NOW_HOURLY, STATE_MACHINES, each_last, newest
from deploy.grafana.rows import MACHINE, NOT_KNOWN, Column, Dashboard, Kind, Look, Panel, Unit, group_step

_CHOSEN = '"machine" =~ /^$machine$/'
_SLOTS = f"{NOW_DAILY} AND {_CHOSEN}"


def _slots(*fields: str) -> str:
    return each_last(fields, "slot_now", _SLOTS, "machine", "slot")


def _coins(*fields: str) -> str:
    return each_last(fields, "tube_now", _SLOTS, "machine", "coin")


def _numbers() -> tuple[Panel, ...]:
    return (
        Panel(
            "Filled",
            "How much of what should be in the machines is there?",
            Kind.NUMBER,
            (f'SELECT 100 - sum("bring") * 100 / sum("par") AS "filled" FROM {_slots("bring", "par")}',),
            Unit.PERCENT,
            width=8,
        ),
        Panel(
            "Slots",
            "How many slots are low, and how many are empty?",
            Kind.NUMBER,
            (f'SELECT sum("low") AS "low", sum("empty") AS "empty" FROM {_slots("low", "empty")}',),
            width=8,
        ),
        Panel(
            "To bring",
            "How many products and coins does the van need?",
            Kind.NUMBER,
            (
                f'SELECT sum("bring") AS "products" FROM {_slots("bring")}',
                f'SELECT sum("bring") AS "coins" FROM {_coins("bring")}',
            ),
            width=8,
        ),
    )


def _route() -> tuple[Panel, ...]:
    return (
        Panel(
            "Machines by need",
            "Where to go first: what is empty, low, and runs out next?",
            Kind.TABLE,
            (
                newest(
                    '"stock_percent" AS "filled", "slots", "slots_low" AS "low", "slots_empty" AS "empty", '
                    '"runout_h" AS "runs out in", "change_low" AS "change low"',
                    "machine_now",
                    f"{NOW_HOURLY} AND {_CHOSEN}",
                    "machine",
                ),
            ),
            columns=(
                MACHINE,
                Column("filled", Unit.PERCENT),
                *(Column(name, Unit.COUNT) for name in ("empty", "low", "slots")),
                Column("runs out in", Unit.HOURS, NOT_KNOWN),
                Column("change low", Unit.COUNT),
            ),
            sort="filled",
            rising=True,
        ),
        Panel(
            "Slots that run out within a week",
            "In how many days is each slot empty, and what does it need?",
            Kind.TABLE,
            (
                (
                    f'SELECT "product", "runout_days" AS "days left", "count", "bring" FROM '
                    f"{_slots('product', 'runout_days', 'count', 'bring')} "
                    'WHERE "runout_days" >= 0 AND "runout_days" <= 7 GROUP BY "machine", "slot"'
                ),
            ),
            columns=(
                MACHINE,
                Column("slot"),
                Column("product"),
                Column("days left", Unit.DAYS),
                Column("count", Unit.COUNT),
                Column("bring", Unit.COUNT),
            ),
            sort="days left",
            rising=True,
        ),
    )


def _bring() -> tuple[Panel, ...]:
    return (
        Panel(
            "Products to bring",
            "How many of each product, for all chosen machines together?",
            Kind.TABLE,
            (f'SELECT "product", "bring" FROM {_slots("product", "bring")} WHERE "bring" > 0',),
            columns=(Column("product"), Column("bring (sum)", Unit.COUNT)),
            steps=(group_step(product=(), bring=("sum",)),),
            sort="bring (sum)",
        ),
        Panel(
            "Products to bring, by machine",
            "Which product goes into which slot of which machine?",
            Kind.TABLE,
            (
                (
                    f'SELECT "product", "bring" FROM {_slots("product", "bring")} '
                    'WHERE "bring" > 0 GROUP BY "machine", "slot"'
                ),
            ),
            columns=(MACHINE, Column("slot"), Column("product"), Column("bring", Unit.COUNT)),
            sort="machine",
            rising=True,
        ),
        Panel(
            "Coins to bring",
            "How many of each coin, for all chosen machines together?",
            Kind.TABLE,
            (f'SELECT sum("bring") AS "bring" FROM {_coins("bring")} GROUP BY "coin"',),
            columns=(Column("coin"), Column("bring", Unit.COUNT)),
        ),
        Panel(
            "Coins to bring, by machine",
            "Which coins go to which machine?",
            Kind.TABLE,
            (
                (
                    f'SELECT "count", "bring" FROM {_coins("count", "bring")} '
                    'WHERE "bring" > 0 GROUP BY "machine", "coin"'
                ),
            ),
            columns=(MACHINE, Column("coin"), Column("count", Unit.COUNT), Column("bring", Unit.COUNT)),
            sort="machine",
            rising=True,
        ),
    )


def dashboard(_look: Look) -> Dashboard:
    return Dashboard(
        "vend-inventory",
        "Inventory and route",
        "What is left, for how long, and what goes on the van?",
        (*_numbers(), *_route(), *_bring()),
        (STATE_MACHINES,),
        refresh="5m",
        has_period=False,
    )
