"""Parts that queries of several dashboards share."""

from typing import Final

from cloud.rollups.sums import ALL
from deploy.grafana.rows import Look, Variable

# What is so now has a point each hour, or each day; the newest one counts.
NOW_HOURLY: Final = "time > now() - 3h"
NOW_DAILY: Final = "time > now() - 2d"

# The period before the one shown, as long as it: InfluxQL knows no offset, and Grafana's time shift no length
# that follows the chosen period.
BEFORE: Final = "time >= ${__from}ms - (${__to}ms - ${__from}ms) AND time < ${__from}ms"

CURRENCY_IS: Final = "\"currency\" = '$currency'"
OF_FLEET: Final = f"\"machine\" = '{ALL}' AND {CURRENCY_IS}"
OF_CHOSEN: Final = f'"machine" =~ /^$machine$/ AND {CURRENCY_IS}'
OF_ONE: Final = "\"machine\" = '$machine'"

CURRENCY: Final = Variable("currency", "Currency", 'SHOW TAG VALUES FROM "sales_hour" WITH KEY = "currency"')
_MACHINES: Final = 'SHOW TAG VALUES FROM "machine_now" WITH KEY = "machine"'
ONE_MACHINE: Final = Variable("machine", "Machine", _MACHINES)
ROLLUP_MACHINES: Final = Variable("machine", "Machine", _MACHINES, all_value=ALL)
STATE_MACHINES: Final = Variable("machine", "Machine", _MACHINES, all_value=".*")


def newest(columns: str, measurement: str, where: str, *by: str) -> str:
    """The newest point of each series, as rows of a table; without tags the newest of all."""
    tags = ", ".join(f'"{tag}"' for tag in by)
    each = f"GROUP BY {tags} " if tags else ""
    return f'SELECT {columns} FROM "{measurement}" WHERE {where} {each}ORDER BY time DESC LIMIT 1'


def each_last(fields: tuple[str, ...], measurement: str, where: str, *by: str) -> str:
    """The last value of these fields in each series: a subquery."""
    lasts = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    tags = ", ".join(f'"{tag}"' for tag in by)
    return f'(SELECT {lasts} FROM "{measurement}" WHERE {where} GROUP BY {tags})'


def by_tender(minor: int, source: str) -> str:
    sums = ", ".join(
        f'sum("{tender}_minor") / {minor} AS "{tender}"' for tender in ("cash", "card", "wallet")
    )
    return f"SELECT {sums} {source}"


def sold_by(period: str, source: str, look: Look) -> str:
    """By hour or day of the operator's zone."""
    sold = f'sum("sold_minor") / {look.minor} AS "sold"'
    return f"SELECT {sold} {source} GROUP BY time({period}) fill(0) {look.tz}"
