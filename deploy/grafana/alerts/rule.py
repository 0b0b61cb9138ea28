"""One alert rule: what is asked, when it fires, what is so then, what to do and who does it."""

from dataclasses import dataclass
from typing import Final

OFFICE, DRIVER, TECHNICIAN, ADMIN = "office", "driver", "technician", "administrator"
ROLES: Final = (OFFICE, DRIVER, TECHNICIAN, ADMIN)

_HOURS: Final = 3 * 3_600  # an hourly gauge is surely in it
M: Final = "{{ .Labels.machine }}"
V: Final = '{{ printf "%.0f" .Values.B.Value }}'  # what is compared


@dataclass(frozen=True, slots=True)
class Rule:
    """`above`: it fires where the value is greater. `window_s`: how far back the query looks.

    `silence_fires`: no data is the trouble itself. `error_fires`: so is a database that does not answer.
    """

    uid: str
    title: str
    query: str
    above: float
    hold: str
    so: str
    action: str
    who: str
    dashboard: str
    critical: bool = False
    window_s: int = _HOURS
    silence_fires: bool = False
    error_fires: bool = False


def last_of(field: str) -> str:
    """Of each machine, as it is now."""
    return f'SELECT last("{field}") FROM "machine_now" WHERE $timeFilter GROUP BY "machine"'
