"""What a step is, and what a machine is as against what happens to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.sale.effects import Effect
from edge.sale.state import SlotSetting, State
from shared.records import Body


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, what to write down, and what to do once both are on stable storage."""

    state: State
    records: tuple[Body, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices.

    `largest_note_minor`: notes above it are not taken. `reserve`: coins of each tube that are not promised as
    change, as counts are a lower bound that may be off by one or two. `without_change`: a sale whose change
    cannot be paid is refused, or made and the rest is owed with a claim code. `motor_failures`: runs that
    fail one after the other before a slot is not sold any more. `closed_door_s`: how long a visit lasts
    behind a closed door if nobody says that it is over. `revalue_cards`: cash goes on a card that is in the
    reader and can be charged up.
    """

    largest_note_minor: int = 2_000
    reserve: int = 0
    without_change: Literal["refuse", "owe"] = "refuse"
    revalue_cards: bool = False
    motor_failures: int = 2
    closed_door_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ProductGroup:
    """Slots whose products spoil together, and what they bear: out of the range for longer than `limit_s`
    they are not sold any more. Temperatures are tenths of a degree Celsius, both ends belong to the range.
    """

    slots: tuple[str, ...]
    sensor: str
    min_decidegrees: int
    max_decidegrees: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """`products`, `items` and `slots` by slot, `groups` by name; `claim_key`: this journal's own secret, for
    claim codes. `wanted`: what belongs into the slots that still hold something else.
    """

    products: Mapping[str, str]
    software: str
    items: Mapping[str, int] = field(default_factory=dict)
    validator: bool = False
    readers: tuple[int, ...] = ()
    policy: Policy = field(default_factory=Policy)
    claim_key: bytes = b""
    slots: Mapping[str, SlotSetting] = field(default_factory=dict)
    groups: Mapping[str, ProductGroup] = field(default_factory=dict)
    wanted: Mapping[str, str] = field(default_factory=dict)
