"""Which POLL replies of the coin changer repeat themselves (edge/mdb/repeats.py).

A coin to a tube raises the tube's count, so the same count again is the same coin. That tells nothing of a
coin to the cashbox, or of a count at its end.
"""

from edge.mdb import repeats
from edge.mdb.coin.codes import CREDIT_ROUTES, Activity, Deposited, Kind, Status
from edge.sale.events import Route

REPEAT_WINDOW_S = 0.100
MAX_COUNT = 255


class Repeats(repeats.Repeats[Activity]):
    def __init__(self) -> None:
        super().__init__(REPEAT_WINDOW_S, _is_lasting, _raises_tube_count)


def _is_lasting(activity: Activity) -> bool:
    return isinstance(activity, Status) and activity.kind in {Kind.BUSY, Kind.STATE}


def _raises_tube_count(activity: Activity) -> bool:
    return (
        isinstance(activity, Deposited)
        and CREDIT_ROUTES.get(activity.routing) is Route.TUBE
        and 0 < activity.in_tube < MAX_COUNT
    )
