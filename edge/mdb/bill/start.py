"""The bill validator's start, from SETUP to the BILL TYPE that ends it; a part of its driver (driver.py).

The unit is disabled and drained before the RESET, because RESET gives back the note in escrow and forgets
what was not yet reported. So a note that a killed process ordered to be stacked is waited for, and credited;
one on which nobody decided goes back to the customer. After JUST RESET all is asked and set anew.
"""

from collections.abc import Sequence
from enum import Enum, auto
from math import inf

from edge.mdb.bill.codes import Activity, is_settled, parse_setup, values_minor
from edge.mdb.bill.notes import Notes
from edge.mdb.bill.phases import (
    AFTER,
    DRAIN_LIMIT_S,
    DRAIN_QUIET_S,
    OPTIONAL,
    OPTIONAL_TRIES,
    REQUESTS,
    START_LIMIT_S,
    Phase,
)
from edge.mdb.bill.recycler_codes import (
    RECYCLER_LEVEL,
    RECYCLING,
    Identity,
    enable_features,
    enable_recycler,
    identify,
    parse_dispense_status,
    parse_identity,
    parse_routing,
)
from edge.mdb.frame import Ack, Block, Data, Reply


class Outcome(Enum):
    TAKEN = auto()
    AGAIN = auto()  # the reply makes no sense
    UNUSABLE = auto()  # the unit's values are no whole minor units


class Start:
    def __init__(self, notes: Notes, minor_exponent: int) -> None:
        self._notes = notes
        self._minor_exponent = minor_exponent
        self._level = 1
        self._features = 0  # those that the unit offers and we use
        self._refusals = 0
        self._quiet_since_s = inf
        self.identity: Identity | None = None
        self.anew()

    def anew(self) -> None:
        self.enter(Phase.PROBE, inf)

    def enter(self, phase: Phase, deadline_s: float) -> None:
        self.phase, self._deadline_s, self._refusals = phase, deadline_s, 0

    def request(self, now_s: float) -> Block:
        match self.phase:
            case Phase.PROBE:
                self._deadline_s = min(self._deadline_s, now_s + START_LIMIT_S)
            case Phase.IDENTITY:
                return identify(self._level)
            case Phase.FEATURES:
                return enable_features(self._features)
            case Phase.RECYCLER_ENABLE:
                return enable_recycler(self._notes.recycler.routing_mask)
            case _:
                pass
        return REQUESTS[self.phase]

    def reset(self, now_s: float) -> None:
        self.enter(Phase.RESET, now_s + START_LIMIT_S)

    def unit_was_reset(self, now_s: float) -> None:
        self.enter(Phase.SETUP, now_s + START_LIMIT_S)

    def too_late(self, now_s: float) -> bool:
        """True when the unit answers and gets nowhere. A drain that does not end is ended by RESET."""
        if now_s <= self._deadline_s:
            return False
        if self.phase not in {Phase.DISABLE, Phase.DRAIN}:
            return True
        self.reset(now_s)
        return False

    def polled(self, seen: Sequence[Activity], now_s: float, *, in_between: bool) -> None:
        """in_between: the block before this POLL was not answered, or not with sense."""
        if self.phase is Phase.DRAIN:
            self._quiet_since_s = min(self._quiet_since_s, now_s) if all(map(is_settled, seen)) else inf
            if now_s - self._quiet_since_s >= DRAIN_QUIET_S:
                self.reset(now_s)
        elif self.phase in OPTIONAL and in_between:
            self._refusals += 1
            if self._refusals == OPTIONAL_TRIES:
                if self.phase is Phase.FEATURES:
                    self._features = 0
                self._advance()

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Outcome:
        if block != self.request(now_s):
            return Outcome.TAKEN  # late, from before a loss
        data = reply.data if isinstance(reply, Data) else b""
        match self.phase:
            case Phase.PROBE | Phase.SETUP:
                return self._on_setup(data, now_s)
            case Phase.RESET:
                if isinstance(reply, Ack):
                    self.phase = Phase.AWAIT_RESET
                return Outcome.TAKEN
            case Phase.IDENTITY | Phase.RECYCLER_SETUP | Phase.RECYCLER_COUNT | Phase.STACKER:
                done = self._on_data(data)
            case _:
                done = isinstance(reply, Ack)
        if not done:
            return Outcome.AGAIN
        self._advance()
        return Outcome.TAKEN

    def _on_setup(self, data: bytes, now_s: float) -> Outcome:
        setup = parse_setup(data)
        if setup is None:
            return Outcome.AGAIN
        values = values_minor(setup, self._minor_exponent)
        if values is None:
            return Outcome.UNUSABLE
        self._level = setup.level
        self._notes.values, self._notes.has_escrow = values, setup.escrow
        if self.phase is Phase.PROBE:
            self._quiet_since_s = inf
            self.enter(Phase.DISABLE, now_s + DRAIN_LIMIT_S)
        else:
            self._advance()
        return Outcome.TAKEN

    def _on_data(self, data: bytes) -> bool:
        """Take the answer to a question; False if it makes no sense."""
        recycler = self._notes.recycler
        match self.phase:
            case Phase.IDENTITY:
                self.identity = parse_identity(data)
                self._features = self.identity.options & RECYCLING if self.identity else 0
                return self.identity is not None
            case Phase.RECYCLER_SETUP:
                mask = parse_routing(data)
                recycler.routing_mask = mask or 0
                return mask is not None
            case Phase.RECYCLER_COUNT:
                counts = parse_dispense_status(data)
                recycler.count(counts or ())
                return counts is not None
            case _:
                return self._notes.read_stacker(data)

    def _advance(self) -> None:
        after = AFTER[self.phase]
        if (after is Phase.FEATURES and self._level < RECYCLER_LEVEL) or (
            after is Phase.RECYCLER_SETUP and not self._features
        ):
            after = Phase.SECURITY
        self.enter(after, self._deadline_s)
