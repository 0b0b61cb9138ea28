"""Alert rules: one row each, with what is so, what to do, who does it. Each resolves itself.

A query gives one value a series, of which the last one is compared. It reads gauges of what is so now. One
cause, one alert: all machines of a rule are one notification (`alerting.py`), and while the broker or the
cloud is away, gauges of machines stand still, so that only the rules of the system fire.
"""

from typing import Final

from deploy.grafana.alerts.card import CARD
from deploy.grafana.alerts.route import ROUTE
from deploy.grafana.alerts.rule import Rule
from deploy.grafana.alerts.selling import SELLING
from deploy.grafana.alerts.system import SYSTEM

RULES: Final[tuple[Rule, ...]] = (*SYSTEM, *SELLING, *CARD, *ROUTE)
