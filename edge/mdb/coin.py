"""The coin changer's driver, feature level 2 (MDB/ICP 4.2 §5), as a peripheral (edge/mdb/peripheral.py).

Start, and after each loss: SETUP, then POLL until nothing is left to report, then RESET, POLL until JUST
RESET, SETUP, TUBE STATUS, COIN TYPE, ChangerReady. The changer is drained before the RESET because RESET
throws away coins that were taken but not yet reported, such as those of a process that was killed.

- A changer that is silent for 2 s is lost: RESET at once and every 10 s, full start, ChangerReady again.
- A changer that reports JUST RESET unasked gives ChangerLost("reset") and the start without RESET.
- Coins stay disabled until an AcceptCoins, which holds through every later start.
- DISPENSE is never sent again when its answer was lost. The rest of the payout is dropped, the changer polled
  until quiet, the tubes read and PayoutEnded sent; the sale compares counts. PayoutEnded's counts contain
  exactly the coins whose CoinIn came before it.
- A tube that becomes defective in a payout reads as empty, which would look like all of its coins paid. So
  PayoutEnded first tells its last good count, and a second PayoutEnded at once the count now in force.
- A payout cut short by a loss ends with the ChangerReady that follows; there is no PayoutEnded. A PayOut
  while the changer is not ready is dropped for the same reason, one while a payout runs is that same payout.
- Faults that the changer repeats while they last, defective tubes and useless scaling are cleared when they
  are gone. Faults that it tells once are told each time and cleared by the next reset.
- A coin is credited once, also when the changer repeats its reply (edge/mdb/coin_repeats.py).
"""

from collections import Counter, deque
from math import inf

from edge.mdb.coin_codes import (
    COIN_TYPES,
    CREDIT_ROUTES,
    POLL,
    REJECTED,
    Activity,
    Command,
    Deposited,
    Dispensed,
    Kind,
    Setup,
    Slugs,
    Status,
    Tubes,
    Unknown,
    coin_type,
    defective_tubes,
    dispense_commands,
    parse_activity,
    parse_setup,
    parse_tubes,
    values_minor,
    with_tubes_only,
)
from edge.mdb.coin_phases import (
    COIN_TYPE_PHASES,
    DISPENSE_LIMIT_S,
    NON_RESPONSE_S,
    REPOLL_S,
    REQUESTS,
    RESET_TO_TUBE_STATUS_S,
    START_LIMIT_S,
    Phase,
)
from edge.mdb.coin_repeats import Repeats
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.mdb.peripheral import POLL_INTERVAL_S, RESET_RETRY_S, Faults
from edge.mdb.presence import Presence
from edge.sale.effects import AcceptCoins, Effect, PayOut
from edge.sale.events import ChangerLost, ChangerReady, CoinIn, DriverEvent, Lever, PayoutEnded


class CoinChanger:
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
        self._repeats = Repeats()
        self._values = (0,) * COIN_TYPES
        self._tubes = (0,) * COIN_TYPES  # as last told
        self._counted = Tubes(self._tubes, full_mask=0)
        self._setup: Setup | None = None
        self._wanted = False
        self._applied: Block | None = None
        self._commands: deque[Block] = deque()
        self._faults = Faults("changer")
        self.counts: Counter[str] = Counter()

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
        wanted = self._coin_type_wanted()
        if self._phase in COIN_TYPE_PHASES and self._applied != wanted:
            return wanted
        if self._phase is Phase.DISPENSE:
            return self._commands[0]
        return REQUESTS[self._phase]

    def perform(self, effect: Effect, now_s: float) -> None:
        match effect:
            case AcceptCoins(enabled):
                self._wanted = enabled
                if self._phase is Phase.READY:
                    self._due_s = now_s
            case PayOut(coins):
                if self._phase is not Phase.READY:
                    self.counts["payouts_dropped"] += 1
                    return
                self._commands.extend(dispense_commands(coins))
                self._deadline_s = now_s + DISPENSE_LIMIT_S
                self._continue_payout(now_s)
            case _:
                pass

    def bus_lost(self, reason: str, now_s: float) -> list[DriverEvent]:
        events = self._lose(reason, now_s)
        self._due_s = now_s
        return events

    def on_reply(self, block: Block, reply: Reply, now_s: float) -> list[DriverEvent]:
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
                events = self._on_dispense(reply, now_s)
            case Command.RESET:
                events = self._on_reset(reply, now_s)
        if now_s > self._deadline_s:
            events += self._lose("payout_timeout" if self._presence.online else "start_timeout", now_s)
        return events

    # Replies, one method for each command

    def _on_silence(self, block: Block, now_s: float) -> list[DriverEvent]:
        self._due_s = now_s + POLL_INTERVAL_S
        if self._presence.silent_too_long(now_s):
            return self._lose("silent", now_s)
        match self._phase, block.head:
            case Phase.PROBE, Command.SETUP:
                self._phase, self._due_s = Phase.RESET, now_s
            case Phase.RESET, Command.RESET:
                self._phase, self._deadline_s = Phase.PROBE, inf
                if self._presence.online is False:
                    self._due_s = now_s + RESET_RETRY_S
                    self._presence.heard()
            case Phase.DISPENSE, Command.DISPENSE:
                self._dispensing_in_doubt(now_s)
            case _:
                self._poll_next = block.head != Command.POLL or self._repeats.expected
        return []

    def _on_setup(self, reply: Reply, now_s: float) -> list[DriverEvent]:
        setup = parse_setup(reply.data) if isinstance(reply, Data) else None
        if self._phase not in {Phase.PROBE, Phase.SETUP}:
            return []
        if setup is None:
            return self._ask_again(now_s)
        values = values_minor(setup, self._minor_exponent)
        if values is None:
            return [
                *self._faults.replace("setup", ["scaling_not_whole"]),
                *self._lose("scaling_not_whole", now_s),
            ]
        self._setup, self._values = setup, values
        if self._phase is Phase.PROBE:
            self._phase = Phase.DRAIN
        else:
            self._phase = Phase.TUBES
            self._due_s = max(now_s, self._tubes_from_s)
        return self._faults.replace("setup", ())

    def _on_tubes(self, reply: Reply, now_s: float) -> list[DriverEvent]:
        tubes = parse_tubes(reply.data) if isinstance(reply, Data) else None
        if self._phase not in {Phase.TUBES, Phase.COUNT}:
            return []
        if tubes is None or self._setup is None:
            return self._ask_again(now_s)
        self._counted = with_tubes_only(tubes, self._setup)
        self._phase = Phase.COIN_TYPE if self._phase is Phase.TUBES else Phase.CONFIRM
        defective = [f"tube_defective_{coin}" for coin in defective_tubes(self._counted)]
        return self._faults.replace("tubes", defective)

    def _on_coin_type(self, block: Block, reply: Reply, now_s: float) -> list[DriverEvent]:
        if self._phase not in COIN_TYPE_PHASES:
            return []
        if not isinstance(reply, Ack):
            return self._ask_again(now_s)
        self._applied = block
        if self._phase is not Phase.COIN_TYPE:
            return []
        self._phase, self._presence.online, self._deadline_s = Phase.READY, True, inf
        self._tubes = self._counted.counts
        return [ChangerReady(self._values, self._tubes)]

    def _on_dispense(self, reply: Reply, now_s: float) -> list[DriverEvent]:
        if self._phase is not Phase.DISPENSE:
            return []
        if not isinstance(reply, Ack):
            self._dispensing_in_doubt(now_s)
            return []
        self._commands.popleft()
        self._wait_for_payout(now_s)
        return []

    def _on_reset(self, reply: Reply, now_s: float) -> list[DriverEvent]:
        if self._phase is Phase.RESET and isinstance(reply, Ack):
            self._phase = Phase.AWAIT_RESET
        self._due_s = now_s + POLL_INTERVAL_S
        return []

    def _on_poll(self, data: bytes, now_s: float) -> list[DriverEvent]:
        self._poll_next = False
        seen = parse_activity(data)
        news = self._repeats.news(seen, self._asked_s, now_s)
        if self._repeats.expected:
            self._poll_next = True
            self._due_s = now_s + REPOLL_S
        else:
            self._due_s = now_s + POLL_INTERVAL_S
        lasting = [row.name for row in seen if isinstance(row, Status) and row.kind is Kind.STATE]
        events = self._faults.replace("poll", lasting)
        for activity in news:
            events += self._on_activity(activity)
        if any(isinstance(row, Status) and row.kind is Kind.RESET for row in news):
            return events + self._on_was_reset(now_s)
        return events + self._after_poll(quiet=len(lasting) == len(seen), now_s=now_s)

    # What a POLL reply tells

    def _on_activity(self, activity: Activity) -> list[DriverEvent]:
        match activity:
            case Deposited(coin, routing, in_tube) if routing in CREDIT_ROUTES:
                if not self._values[coin]:
                    return self._faults.occurred("reported", "coin_without_value")
                self._tubes = (*self._tubes[:coin], in_tube, *self._tubes[coin + 1 :])
                return [CoinIn(coin, self._values[coin], CREDIT_ROUTES[routing], in_tube)]
            case Deposited(routing=routing):
                self.counts["coins_rejected" if routing == REJECTED else "activities_unknown"] += 1
            case Dispensed(count=count):
                self.counts["coins_dispensed_by_hand"] += count
            case Slugs(count):
                self.counts["slugs"] += count
            case Unknown():
                self.counts["activities_unknown"] += 1
            case Status(kind=Kind.LEVER):
                return [Lever()]
            case Status(name=name, kind=Kind.OCCURRENCE):
                return self._faults.occurred("reported", name)
            case Status():
                pass  # busy, state and reset are the whole reply's business
        return []

    def _on_was_reset(self, now_s: float) -> list[DriverEvent]:
        lost: list[DriverEvent] = []
        if self._presence.online:
            lost, self._presence.online = [ChangerLost("reset")], False
        self._phase = Phase.SETUP
        self._applied = None
        self._commands.clear()
        self._tubes_from_s = now_s + RESET_TO_TUBE_STATUS_S
        self._deadline_s = now_s + START_LIMIT_S
        return lost + self._faults.replace("reported", ())

    def _after_poll(self, *, quiet: bool, now_s: float) -> list[DriverEvent]:
        if not quiet:
            if self._phase is Phase.CONFIRM:
                self._phase = Phase.PAYING
            return []
        match self._phase:
            case Phase.DRAIN:
                self._phase, self._due_s = Phase.RESET, now_s
            case Phase.PAYING:
                self._continue_payout(now_s)
            case Phase.CONFIRM:
                return self._payout_ended()
            case _:
                pass
        return []

    # Steps that several replies share

    def _coin_type_wanted(self) -> Block:
        paying = sum(1 << coin for coin, value in enumerate(self._values) if value)
        return coin_type(paying if self._wanted else 0)

    def _ask_again(self, now_s: float) -> list[DriverEvent]:
        self._poll_next = True
        self._due_s = now_s + POLL_INTERVAL_S
        return []

    def _continue_payout(self, now_s: float) -> None:
        self._phase = Phase.DISPENSE if self._commands else Phase.COUNT
        self._due_s = now_s

    def _payout_ended(self) -> list[DriverEvent]:
        self._phase, self._deadline_s = Phase.READY, inf
        counts, known = self._counted.counts, self._tubes
        defective = defective_tubes(self._counted)
        believed = tuple(known[coin] if coin in defective else count for coin, count in enumerate(counts))
        self._tubes = counts
        ended: list[DriverEvent] = [PayoutEnded(believed)]
        return ended if believed == counts else [*ended, PayoutEnded(counts)]

    def _wait_for_payout(self, now_s: float) -> None:
        self._phase = Phase.PAYING
        self._due_s = now_s + POLL_INTERVAL_S
        self._deadline_s = now_s + DISPENSE_LIMIT_S

    def _dispensing_in_doubt(self, now_s: float) -> None:
        self._commands.clear()
        self._wait_for_payout(now_s)

    def _lose(self, reason: str, now_s: float) -> list[DriverEvent]:
        news, self._due_s = self._presence.lose(now_s)
        self._phase = Phase.PROBE
        self._deadline_s = inf
        self._poll_next = False
        self._applied = None
        self._commands.clear()
        return [ChangerLost(reason)] if news else []
