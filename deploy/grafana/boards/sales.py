"""Sales report: any period, from rollups alone, so that a month of a thousand machines is read at once."""

from cloud.rollups.sums import ALL
from deploy.grafana.parts import (
    BEFORE,
    CURRENCY,
    CURRENCY_IS,
    OF_CHOSEN,
    ROLLUP_MACHINES,
    by_tender,
    sold_by,
)
from deploy.grafana.rows import (
    MACHINE,
    Column,
    Dashboard,
    Kind,
    Look,
    Panel,
    Unit,
    group_step,
    matrix_step,
    rename_step,
    sort_step,
)

_DAYS = {str(n): day for n, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), start=1)}


def _compared(title: str, question: str, value: str, unit: Unit) -> Panel:
    """This period beside the one before it."""
    return Panel(
        title,
        question,
        Kind.NUMBER,
        (
            f'SELECT {value} AS "this period" FROM "sales_hour" WHERE $timeFilter AND {OF_CHOSEN}',
            f'SELECT {value} AS "the period before" FROM "sales_hour" WHERE {BEFORE} AND {OF_CHOSEN}',
        ),
        unit,
        width=8,
    )


def _by_machine(minor: int) -> tuple[Panel, ...]:
    """A panel a figure: each of them costs a third of a second for a month of a thousand machines."""
    each = (
        f'FROM "sales_hour" WHERE $timeFilter AND "machine" != \'{ALL}\' AND {CURRENCY_IS} GROUP BY "machine"'
    )
    return tuple(
        Panel(
            title,
            question,
            Kind.TABLE,
            (f'SELECT {value} AS "{name}" {each}',),
            columns=(MACHINE, Column(name, unit)),
            sort=name,
            width=8,
        )
        for title, question, value, name, unit in (
            (
                "Sold by machine ($currency)",
                "Which machines sell? All machines, whichever is chosen above.",
                f'sum("sold_minor") / {minor}',
                "sold",
                Unit.MONEY,
            ),
            (
                "Vends by machine",
                "How many products did each of them sell?",
                'sum("sales")',
                "vends",
                Unit.COUNT,
            ),
            ("Failed by machine", "How often did each of them fail?", 'sum("failed")', "failed", Unit.COUNT),
        )
    )


def dashboard(look: Look) -> Dashboard:
    hours = f'FROM "sales_hour" WHERE $timeFilter AND {OF_CHOSEN}'
    minor = look.minor
    sums = f'sum("sold_minor") / {minor} AS "sold", sum("sales") AS "vends", sum("failed") AS "failed"'
    columns = (Column("sold", Unit.MONEY), Column("vends", Unit.COUNT), Column("failed", Unit.COUNT))
    return Dashboard(
        "vend-sales",
        "Sales report",
        "What was sold in any period, where, when and how was it paid?",
        (
            _compared(
                "Sold ($currency)",
                "How much was sold, and in the period before?",
                f'sum("sold_minor") / {minor}',
                Unit.MONEY,
            ),
            _compared("Vends", "How many products, and in the period before?", 'sum("sales")', Unit.COUNT),
            _compared(
                "Failed vends",
                "How often did a customer get nothing, and in the period before?",
                'sum("failed")',
                Unit.COUNT,
            ),
            Panel(
                "Sold by day ($currency)",
                "Which days were good?",
                Kind.BARS,
                (sold_by("1d", hours, look),),
                Unit.MONEY,
            ),
            Panel(
                "Vends by hour of the week",
                "At which hours of the week do people buy?",
                Kind.TABLE,
                (f'SELECT "weekday", "hour", "sales" {hours}',),
                columns=(Column("hour"), *(Column(day, Unit.COUNT) for day in _DAYS.values())),
                steps=(
                    group_step(weekday=(), hour=(), sales=("sum",)),
                    sort_step("hour"),
                    matrix_step("weekday", "hour", "sales (sum)"),
                    rename_step(**{"hour\\weekday": "hour", **_DAYS}),
                ),
            ),
            Panel(
                "Sold by tender ($currency)",
                "What did customers pay with?",
                Kind.SHARES,
                (by_tender(minor, hours),),
                Unit.MONEY,
            ),
            Panel(
                "Vends by tender",
                "How many vends were paid with what? Free and test vends are no sales.",
                Kind.SHARES,
                (
                    (
                        'SELECT sum("cash_sales") AS "cash", sum("card_sales") AS "card", '
                        'sum("wallet_sales") AS "wallet", sum("mixed_sales") AS "mixed", '
                        f'sum("free_sales") AS "free", sum("test_sales") AS "test" {hours}'
                    ),
                ),
            ),
            Panel(
                "Refunded ($currency)",
                "How much went back to cards?",
                Kind.NUMBER,
                (f'SELECT sum("refunded_minor") / {minor} AS "refunded" {hours}',),
                Unit.MONEY,
                width=12,
            ),
            Panel(
                "Arrived late",
                "How many sales were made while the machine's network was down?",
                Kind.NUMBER,
                (f'SELECT sum("late_sales") AS "late" {hours}',),
                width=12,
            ),
            *_by_machine(minor),
            Panel(
                "By product ($currency)",
                "Which products sell, and which fail?",
                Kind.TABLE,
                (f'SELECT {sums} FROM "product_hour" WHERE $timeFilter AND {OF_CHOSEN} GROUP BY "product"',),
                columns=(Column("product"), *columns),
                sort="sold",
            ),
        ),
        (CURRENCY, ROLLUP_MACHINES),
        since="now-28d",
        refresh="",
    )
