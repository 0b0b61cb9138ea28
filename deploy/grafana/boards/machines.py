"""Machines: a row each. What is so now, whatever period is chosen."""

from deploy.grafana.parts import CURRENCY, NOW_HOURLY, each_last, newest
from deploy.grafana.rows import (
    MACHINE,
    ONLINE,
    TAKES,
    TROUBLE,
    Column,
    Dashboard,
    Kind,
    Look,
    Panel,
    Unit,
)


def _count(title: str, question: str, columns: str, *fields: str) -> Panel:
    source = each_last(fields, "machine_now", NOW_HOURLY, "machine")
    return Panel(title, question, Kind.NUMBER, (f"SELECT {columns} FROM {source}",), width=8)


def dashboard(look: Look) -> Dashboard:
    return Dashboard(
        "vend-machines",
        "Machines",
        "How is each machine now?",
        (
            _count(
                "Online",
                "How many machines are online, of how many?",
                'sum("online") AS "online", count("online") AS "of"',
                "online",
            ),
            _count(
                "Cannot do all",
                "At how many machines is change low, or something locked for warmth?",
                'sum("change_low") AS "change low", sum("lockout") AS "locked"',
                "change_low",
                "lockout",
            ),
            _count(
                "To look after",
                "How many faults are open, and how many slots have another price than wanted?",
                'sum("faults") AS "faults", sum("disagreements") AS "prices"',
                "faults",
                "disagreements",
            ),
            Panel(
                "Each machine ($currency)",
                "Who is online and since when, takes what and why not, sold last, needs what?",
                Kind.TABLE,
                (
                    newest(
                        '"online" AS "state", "since_ms" AS "since", "cash", "cash_why" AS "why no cash", '
                        '"card", "card_why" AS "why no card", "wallet", "wallet_why" AS "why no wallet", '
                        '"last_sale_ms" AS "last sale", "stock_percent" AS "stock", '
                        f'"change_minor" / {look.minor} AS "change", "change_low" AS "change low", '
                        '"temperature_c" AS "temperature", "owed" AS "owed records", '
                        '"disagreements" AS "other prices", "software"',
                        "machine_now",
                        NOW_HOURLY,
                        "machine",
                    ),
                ),
                columns=(
                    MACHINE,
                    Column("state", words=ONLINE),
                    Column("since", Unit.AGO),
                    Column("cash", words=TAKES),
                    Column("card", words=TAKES),
                    Column("wallet", words=TAKES),
                    Column("last sale", Unit.AGO),
                    Column("stock", Unit.PERCENT),
                    Column("change", Unit.MONEY),
                    Column("change low", words=TROUBLE),
                    Column("temperature", Unit.CELSIUS),
                    Column("owed records", Unit.COUNT),
                    Column("other prices", Unit.COUNT),
                    Column("why no cash"),
                    Column("why no card"),
                    Column("why no wallet"),
                    Column("software"),
                ),
                sort="state",
                rising=True,
                height=20,
            ),
        ),
        (CURRENCY,),
        has_period=False,
    )
