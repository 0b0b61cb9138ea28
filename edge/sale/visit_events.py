"""What the cabinet, and the technician in front of it, tell the sale.

Events of the technician are requests: edge/sale/technician.py says beforehand, in words, which would be
refused. All may come twice: nothing is added up, counts are what is there afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoorChanged:
    """Told after each start of the device that watches the door, and when it changes."""

    open: bool


@dataclass(frozen=True, slots=True)
class TemperatureRead:
    """A reading, in tenths of a degree Celsius, told every few seconds. A sensor that has none is silent."""

    sensor: str
    decidegrees: int


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The wall clock can be trusted now, and shows this (UTC). Told once a run, and after each jump."""

    wall_ns: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Time has passed. Whatever lasted too long is judged before every event; this only makes sure of one."""


@dataclass(frozen=True, slots=True)
class Refilled:
    """What is in these slots now. `others_to_par`: all the others were filled to what they should hold.

    Takes back a mistake by the counts that were there before.
    """

    counts: Mapping[str, int]
    others_to_par: bool = False


@dataclass(frozen=True, slots=True)
class StockSet:
    """What is in these slots really: the books were wrong, no product was moved."""

    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Collected:
    """Cash box and note stacker were emptied into the bag of this number."""

    bag: str


@dataclass(frozen=True, slots=True)
class GroupReleased:
    """The technician answers for the products of this group: what was too warm is gone."""

    group: str


@dataclass(frozen=True, slots=True)
class SlotReleased:
    """The technician has mended the motor of this slot."""

    slot: str


@dataclass(frozen=True, slots=True)
class ClaimPaid:
    """The operator has paid what this claim code is good for: the machine owes it no more."""

    code: str


TechnicianRequest = ClaimPaid | Refilled | StockSet | Collected | GroupReleased | SlotReleased
CabinetEvent = DoorChanged | TemperatureRead
