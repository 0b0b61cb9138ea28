"""The coin changer's driver, feature levels 2 and 3 (MDB/ICP 4.2 §5): a peripheral (edge/mdb/peripheral.py).

Start, and after each loss: SETUP, then POLL until nothing is left to report, then RESET, POLL until JUST
RESET, SETUP, EXPANSION identification and features, TUBE STATUS, COIN TYPE, ChangerReady. The changer is
drained before the RESET because RESET throws away coins that were taken but not yet reported, such as those
of a process that was killed. Every level is asked for its identification; silence means no features.

- A changer that is silent for 2 s is lost: RESET at once and every 10 s, full start, ChangerReady again.
- A changer that reports JUST RESET unasked gives ChangerLost("reset") and the start without RESET.
- Coins stay disabled until an AcceptCoins, which holds through every later start.
- DISPENSE and PAYOUT are never sent again when their answer was lost. The rest of the payout is dropped, the
  changer polled until quiet, the tubes read and PayoutEnded sent; the sale compares counts. PayoutEnded's
  counts contain exactly the coins whose CoinIn came before it.
- A changer with alternative payout is ordered values and chooses the coins; PAYOUT STATUS tells which. Where
  the highest coins first would not make the value, it is ordered coins like any other.
- A tube that becomes defective in a payout reads as empty, which would look like all of its coins paid. So
  PayoutEnded first tells its last good count, less what PAYOUT STATUS says of it where there is one, and a
  second PayoutEnded at once the count now in force.
- A payout cut short by a loss ends with the ChangerReady that follows; there is no PayoutEnded. So a PayOut
  is dropped while the changer is not ready, and until the AcceptCoins with which the sale answers each
  ChangerReady shows that it was read. One while a payout runs is that same payout, and dropped too.
- A PayOut that assumes more coins in a tube than there are pays nothing and ends with PayoutEnded at once.
- Faults that the changer repeats while they last, defective tubes and useless scaling are cleared when they
  are gone. Faults that it tells once are told each time and cleared by the next reset.
- A coin is credited once, also when the changer repeats its reply (edge/mdb/coin/repeats.py).
"""

from collections import Counter
from dataclasses import replace
from math import inf

from edge.mdb.coin.codes import (
    POLL,
    Command,
    Kind,
    Status,
    Tubes,
    defective_tubes,
    parse_activity,
    parse_setup,
)
from edge.mdb.coin.diagnostics import Diagnostics
from edge.mdb.coin.expansion import Identification, Sub, feature_enable, parse_identification
from edge.mdb.coin.ledger import NONE, Ledger
from edge.mdb.coin.payout import Payout
from edge.mdb.coin.phases import (
    EXPANSION_TRIES,
    NON_RESPONSE_S,
    PROBE_TRIES,
    REPOLL_S,
    REQUESTS,
    RESET_TO_TUBE_STATUS_S,
    START_LIMIT_S,
    Phase,
)
from edge.mdb.coin.profile import Profile, profile
from edge.mdb.coin.repeats import Repeats
from edge.mdb.frame import Ack, Address, Block, Data, Reply, Silence
from edge.mdb.peripheral import POLL_INTERVAL_S, RESET_RETRY_S, Faults
from edge.mdb.presence import Presence
from edge.sale.effects import AcceptCoins, Effect, PayOut
from edge.sale.events import ChangerLost, DriverEvent

Told = list[DriverEvent]


class CoinChanger:
    address = Address.CHANGER

    def __init__(self, minor_exponent: int = 2) -> None:
        self._minor_exponent = minor_exponent
        self._phase = Phase.PROBE
        self._presence = Presence(NON_RESPONSE_S)
        self._due_s = -inf
        self._asked_s = -inf
        self._deadline_s = inf
        self._tubes_from_s = -inf
        # POLL before the phase's own block: in turn with a command without answer, or to hear a repetition.
        self._poll_next = False
        self._tries = 0  # blocks of the start without an answer
        self._repeats = Repeats()
        self._profile: Profile | None = None
        self._counted = Tubes(NONE, full_mask=0)
        self._wanted = False
        self._start_read = False  # by the sale
        self._applied: Block | None = None
        self._faults = Faults("changer")
        self.counts: Counter[str] = Counter()
        self._ledger = Ledger(self._faults, self.counts)
        self._payout = Payout((), self._ledger, 0.0)
        self._diagnostics = Diagnostics(self._ledger, self._faults)

    @property
    def next_wake_s(self) -> float:
        return self._due_s

    def next_request(self, now_s: float) -> Block | None:
        if now_s < self._due_s:
            return None
        self._asked_s = now_s
        if self._poll_next:
            return POLL
        if self._phase is Phase.PROBE and self._deadline_s == inf:
            self._deadline_s = now_s + START_LIMIT_S
        return self._wanted_block(now_s) or REQUESTS[self._phase]

    def perform(self, effect: Effect, now_s: float) -> None:
        match effect:
            case AcceptCoins(enabled):
                self._wanted, self._start_read = enabled, True
                if self._phase is Phase.READY:
                    self._due_s = now_s
            case PayOut(coins, tubes):
                self._pay_out(coins, tubes, now_s)
            case _:
                pass

    def bus_lost(self, reason: str, now_s: float) -> Told:
        events = self._lose(reason, now_s)
        self._due_s = now_s
        return events

    def on_pushed(self, data: bytes, now_s: float) -> Told:
        self._asked_s = now_s
        return self.on_reply(POLL, Data(data), now_s)

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> Told:
        if isinstance(reply, Silence):
            return self._on_silence(block, now_s)
        self._presence.heard()
        self._due_s = now_s
        match Command(block.head):
            case Command.POLL:
                events = self._on_poll(reply.data if isinstance(reply, Data) else b"", now_s)
            case Command.SETUP:
                events = self._on_setup(reply, now_s)
            case Command.TUBE_STATUS:
                events = self._on_tubes(reply, now_s)
            case Command.COIN_TYPE:
                events = self._on_coin_type(block, reply, now_s)
            case Command.DISPENSE:
                events = self._on_payout(block, reply, now_s)
            case Command.RESET:
                events = self._on_reset(reply, now_s)
            case Command.EXPANSION:
                events = self._on_expansion(block, reply, now_s)
        if now_s > self._deadline_s:
            events += self._lose("payout_timeout" if self._presence.online else "start_timeout", now_s)
        return events

    # Replies, one method for each command

    def _on_silence(self, block: Block, now_s: float) -> Told:
        self._due_s = now_s + POLL_INTERVAL_S
        if self._presence.silent_too_long(now_s):
            return self._lose("silent", now_s)
        self._poll_next = block.head != Command.POLL or self._repeats.expected
        match self._phase, block.head:
            case Phase.PROBE, Command.SETUP:
                # A lost answer is no reason to RESET a changer that has coins to report.
                self._tries, self._poll_next = self._tries + 1, False
                if self._tries == PROBE_TRIES:
                    self._phase, self._due_s, self._tries = Phase.RESET, now_s, 0
            case Phase.RESET, Command.RESET:
                self._phase, self._deadline_s, self._poll_next = Phase.PROBE, inf, False
                if self._presence.online is False:
                    self._due_s = now_s + RESET_RETRY_S
                    self._presence.heard()
            case Phase.IDENTIFY | Phase.FEATURES, Command.EXPANSION:
                self._tries += 1
                if self._tries == EXPANSION_TRIES:
                    self._identified(None, now_s)
            case Phase.PAYING, _:
                self._on_payout(block, Silence(), now_s)
                self._due_s = now_s + POLL_INTERVAL_S
        return []

    def _on_setup(self, reply: Reply, now_s: float) -> Told:
        setup = parse_setup(reply.data) if isinstance(reply, Data) else None
        if self._phase not in {Phase.PROBE, Phase.SETUP}:
            return []
        if setup is None:
            return self._ask_again(now_s)
        self._profile = profile(setup, self._minor_exponent)
        if self._profile is None:
            return [
                *self._faults.replace("setup", ["scaling_not_whole"]),
                *self._lose("scaling_not_whole", now_s),
            ]
        self._ledger.values = self._profile.values
        self._phase = Phase.DRAIN if self._phase is Phase.PROBE else Phase.IDENTIFY
        self._tries = 0
        return [*self._faults.replace("setup", ())]

    def _on_tubes(self, reply: Reply, now_s: float) -> Told:
        if self._phase not in {Phase.TUBES, Phase.COUNT} or self._profile is None:
            return []
        tubes = self._profile.tubes(reply.data) if isinstance(reply, Data) else None
        if tubes is None:
            return self._ask_again(now_s)
        self._counted = tubes
        self._phase = Phase.COIN_TYPE if self._phase is Phase.TUBES else Phase.CONFIRM
        return [*self._faults.replace("tubes", (f"tube_defective_{coin}" for coin in defective_tubes(tubes)))]

    def _on_coin_type(self, block: Block, reply: Reply, now_s: float) -> Told:
        if self._phase not in {Phase.COIN_TYPE, Phase.READY, Phase.PAYING} or self._profile is None:
            return []
        if not isinstance(reply, Ack):
            return self._ask_again(now_s)
        self._applied = block
        if self._phase is not Phase.COIN_TYPE:
            return []
        self._phase, self._presence.online, self._deadline_s = Phase.READY, True, inf
        self._start_read = False
        self._diagnostics.start(self._profile.features, now_s)
        return self._ledger.ready(self._counted, self._profile.fitted)

    def _on_payout(self, block: Block, reply: Reply, now_s: float) -> Told:
        if self._phase is Phase.PAYING:
            self._payout.on_reply(block, reply, now_s)
            self._go_on_paying(now_s)
        return []

    def _on_reset(self, reply: Reply, now_s: float) -> Told:
        if self._phase is Phase.RESET and isinstance(reply, Ack):
            self._phase = Phase.AWAIT_RESET
        self._due_s = now_s + POLL_INTERVAL_S
        return []

    def _on_expansion(self, block: Block, reply: Reply, now_s: float) -> Told:
        match Sub(block.data[0]):
            case Sub.IDENTIFICATION if self._phase is Phase.IDENTIFY:
                data = reply.data if isinstance(reply, Data) else b""
                self._identified(parse_identification(data), now_s)
            case Sub.FEATURE_ENABLE if self._phase is Phase.FEATURES:
                self._to_tubes(now_s)
            case Sub.PAYOUT | Sub.PAYOUT_VALUE_POLL | Sub.PAYOUT_STATUS:
                return self._on_payout(block, reply, now_s)
            case Sub.DIAGNOSTIC_STATUS | Sub.MANUAL_FILL_REPORT | Sub.MANUAL_PAYOUT_REPORT:
                return self._diagnostics.on_reply(block, reply)
        return []

    def _on_poll(self, data: bytes, now_s: float) -> Told:
        self._poll_next = False
        seen = parse_activity(data)
        news = self._repeats.news(seen, self._asked_s, now_s)
        if self._repeats.expected:
            self._poll_next = True
            self._due_s = now_s + REPOLL_S
        else:
            self._due_s = now_s + POLL_INTERVAL_S
        lasting = [row.name for row in seen if isinstance(row, Status) and row.kind is Kind.STATE]
        events: Told = [*self._faults.replace("poll", lasting)]
        for activity in news:
            events += self._ledger.activity(activity)
        if any(isinstance(row, Status) and row.kind is Kind.RESET for row in news):
            return events + self._on_was_reset(now_s)
        return events + self._after_poll(quiet=len(lasting) == len(seen), now_s=now_s)

    def _on_was_reset(self, now_s: float) -> Told:
        lost: Told = []
        if self._presence.online:
            lost, self._presence.online = [ChangerLost("reset")], False
        self._phase = Phase.SETUP
        self._applied = None
        self._tubes_from_s = now_s + RESET_TO_TUBE_STATUS_S
        self._deadline_s = now_s + START_LIMIT_S
        return [*lost, *self._faults.replace("reported", ())]

    def _after_poll(self, *, quiet: bool, now_s: float) -> Told:
        match self._phase:
            case Phase.DRAIN if quiet:
                self._phase, self._due_s = Phase.RESET, now_s
            case Phase.PAYING if quiet:
                self._payout.on_quiet()
                self._go_on_paying(now_s)
            case Phase.CONFIRM if quiet:
                self._phase, self._deadline_s = Phase.READY, inf
                return self._ledger.payout_ended(self._counted)
            case Phase.CONFIRM:
                self._phase = Phase.COUNT
        return []

    # Steps that several replies share

    def _wanted_block(self, now_s: float) -> Block | None:
        """What depends on more than the phase."""
        if self._profile is None:
            return None
        ordering = self._phase is Phase.PAYING and self._payout.ordering
        if ordering or self._phase in {Phase.COIN_TYPE, Phase.READY}:
            coin_type = self._profile.coin_type(enabled=self._wanted)
            if coin_type != self._applied:
                return coin_type
        match self._phase:
            case Phase.FEATURES:
                return feature_enable(self._profile.features)
            case Phase.READY:
                return self._diagnostics.next_request(now_s)
            case Phase.PAYING:
                return self._payout.request
            case _:
                return None

    def _ask_again(self, now_s: float) -> Told:
        self._poll_next = True
        self._due_s = now_s + POLL_INTERVAL_S
        return []

    def _identified(self, identification: Identification | None, now_s: float) -> None:
        assert self._profile is not None
        self._profile = replace(self._profile, identification=identification)
        self._tries = 0
        if self._profile.features:
            self._phase = Phase.FEATURES
        else:
            self._to_tubes(now_s)

    def _to_tubes(self, now_s: float) -> None:
        self._phase = Phase.TUBES
        self._due_s = max(now_s, self._tubes_from_s)

    def _pay_out(self, coins: tuple[int, ...], tubes: tuple[int, ...], now_s: float) -> None:
        if self._phase is not Phase.READY or not self._start_read or self._profile is None:
            self.counts["payouts_dropped"] += 1
            return
        fits = self._ledger.fits(tubes)
        self.counts["payouts_stale"] += not fits
        orders = self._profile.payout(coins, self._ledger.tubes) if fits else ()
        self._payout = Payout(orders, self._ledger, now_s)
        self._phase, self._due_s = Phase.PAYING, now_s
        self._go_on_paying(now_s)

    def _go_on_paying(self, now_s: float) -> None:
        self._deadline_s = self._payout.deadline_s
        self._phase = Phase.COUNT if self._payout.done else Phase.PAYING
        self._due_s = now_s + POLL_INTERVAL_S if self._payout.waiting else now_s

    def _lose(self, reason: str, now_s: float) -> Told:
        news, self._due_s = self._presence.lose(now_s)
        self._phase = Phase.PROBE
        self._deadline_s = inf
        self._poll_next = False
        self._applied = None
        self._tries = 0
        return [ChangerLost(reason)] if news else []
