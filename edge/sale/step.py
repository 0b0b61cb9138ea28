"""What a step is, and what a machine is as against what happens to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.sale.effects import Effect
from edge.sale.state import State
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
    cannot be paid is refused, or made and the rest is owed with a claim code.
    """

    largest_note_minor: int = 2_000
    reserve: int = 0
    without_change: Literal["refuse", "owe"] = "refuse"


@dataclass(frozen=True, slots=True)
class Machine:
    """`products` and `items` by slot; `claim_key`: this journal's own secret, for claim codes."""

    products: Mapping[str, str]
    software: str
    items: Mapping[str, int] = field(default_factory=dict)
    validator: bool = False
    readers: tuple[int, ...] = ()
    policy: Policy = field(default_factory=Policy)
    claim_key: bytes = b""
