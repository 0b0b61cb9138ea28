"""What every panel must show, by dashboard and title."""

from collections.abc import Mapping
from typing import Final

from tests.grafana.expected_money import CASH, SALES, TODAY
from tests.grafana.expected_states import INVENTORY, MACHINE, MACHINES, SYSTEM
from tests.grafana.seen import Seen

EXPECTED: Final[Mapping[str, Mapping[str, Seen]]] = {
    "Today": TODAY,
    "Sales report": SALES,
    "Machines": MACHINES,
    "One machine": MACHINE,
    "Inventory and route": INVENTORY,
    "Cash": CASH,
    "System": SYSTEM,
}
