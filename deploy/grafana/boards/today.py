"""Today: how business goes. What is fleet-wide comes from rollups, the last sales from their own points."""

from deploy.grafana.parts import CURRENCY, NOW_HOURLY, OF_FLEET, by_tender, each_last, sold_by
from deploy.grafana.rows import LATE, MACHINE, TIME, Column, Dashboard, Kind, Look, Panel, Unit


def dashboard(look: Look) -> Dashboard:
    hours = f'FROM "sales_hour" WHERE $timeFilter AND {OF_FLEET}'
    minor = look.minor
    books = each_last(("proven", "waiting", "missing"), "books", NOW_HOURLY, "machine")
    online = each_last(("online",), "machine_now", NOW_HOURLY, "machine")
    return Dashboard(
        "vend-today",
        "Today",
        "How does business go today?",
        (
            Panel(
                "Sold ($currency)",
                "How much was sold?",
                Kind.NUMBER,
                (f'SELECT sum("sold_minor") / {minor} AS "sold" {hours}',),
                Unit.MONEY,
            ),
            Panel("Vends", "How many products?", Kind.NUMBER, (f'SELECT sum("sales") AS "vends" {hours}',)),
            Panel(
                "Failed vends",
                "How often did a customer get nothing?",
                Kind.NUMBER,
                (f'SELECT sum("failed") AS "failed" {hours}',),
            ),
            Panel(
                "Average sale ($currency)",
                "How much is one sale?",
                Kind.NUMBER,
                (f'SELECT sum("sold_minor") / sum("sales") / {minor} AS "average" {hours}',),
                Unit.MONEY,
            ),
            Panel(
                "Sold by tender ($currency)",
                "What did customers pay with?",
                Kind.SHARES,
                (by_tender(minor, hours),),
                Unit.MONEY,
            ),
            Panel(
                "Machines",
                "How many machines are online, of how many?",
                Kind.NUMBER,
                (f'SELECT sum("online") AS "online", count("online") AS "of" FROM {online}',),
                width=12,
            ),
            Panel(
                "Records",
                "Is every sale accounted for: proven, on its way, missing?",
                Kind.NUMBER,
                (
                    (
                        'SELECT sum("proven") AS "proven", sum("waiting") AS "waiting", '
                        f'sum("missing") AS "missing" FROM {books}'
                    ),
                ),
                width=12,
            ),
            Panel(
                "Sold by hour ($currency)",
                "When was it sold?",
                Kind.BARS,
                (sold_by("1h", hours, look),),
                Unit.MONEY,
            ),
            Panel(
                "The last sales ($currency)",
                "What was sold just now, and what arrived late because the machine's network was down?",
                Kind.TABLE,
                (
                    (
                        'SELECT "link_down" AS "late", "machine", "product", '
                        f'"paid_minor" / {minor} AS "paid", "tender", "slot", "outcome" FROM "sale" '
                        "WHERE $timeFilter AND \"currency\" = '$currency' ORDER BY time DESC LIMIT 50"
                    ),
                ),
                columns=(
                    TIME,
                    Column("product"),
                    Column("paid", Unit.MONEY),
                    Column("late", words=LATE),
                    Column("tender"),
                    MACHINE,
                    Column("slot"),
                    Column("outcome"),
                ),
            ),
        ),
        (CURRENCY,),
        since="now/d",
        refresh="30s",
    )
