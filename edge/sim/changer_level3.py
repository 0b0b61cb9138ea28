"""The changer of edge/sim/changer.py at feature level 3: identification, alternative payout, diagnostics, and
reports of coins loaded and taken by hand. What needs a feature is met with silence until that is enabled.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from edge.mdb.coin.codes import Command
from edge.mdb.coin.expansion import ALL_FEATURES, NEW_INVENTORY, NO_FEATURES, Feature, Sub
from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.sim.changer import COIN_PAYOUT_S, CREDITS, SimChanger

IDENTIFICATION = b"SIM000000000042CHANGER3    \x01\x00"
OK = (0x03, 0x00)
_NEEDS = {
    Sub.PAYOUT: Feature.ALTERNATIVE_PAYOUT,
    Sub.PAYOUT_STATUS: Feature.ALTERNATIVE_PAYOUT,
    Sub.PAYOUT_VALUE_POLL: Feature.ALTERNATIVE_PAYOUT,
    Sub.DIAGNOSTIC_STATUS: Feature.EXTENDED_DIAGNOSTICS,
    Sub.MANUAL_FILL_REPORT: Feature.MANUAL_FILL,
    Sub.MANUAL_PAYOUT_REPORT: Feature.MANUAL_FILL,
}


class SimChangerLevel3(SimChanger):
    level = 3

    def __init__(self, tubes: Sequence[int] = (12, 34, 50, 9), features: Feature = ALL_FEATURES) -> None:
        super().__init__(tubes)
        self._features = features
        self._on = NO_FEATURES
        self._value_paid = 0  # since it was told
        self._paid_status: Counter[int] = Counter()  # of the last PAYOUT, until told
        self._status_error: Counter[int] = Counter()
        self._diagnostics: list[tuple[int, int]] = []
        self._fill_report: Counter[int] = Counter()
        self._payout_report: Counter[int] = Counter()
        self._on_acknowledged: Callable[[], None] | None = None

    # The hands

    def load(self, coin: int, count: int) -> None:
        with self._lock:
            self._tubes[coin] += count
            self._counts.loaded[coin] += count
            self._fill_report[coin] += count

    def take(self, coin: int, count: int) -> None:
        with self._lock:
            self._tubes[coin] -= count
            self._counts.taken[coin] += count
            self._payout_report[coin] += count

    def diagnose(self, *pairs: tuple[int, int]) -> None:
        """Show these from now on; none is a changer that is well."""
        with self._lock:
            self._diagnostics = list(pairs)

    def misreport_payout(self, coin: int, by: int) -> None:
        """PAYOUT STATUS counts so many coins more than fall."""
        with self._lock:
            self._status_error[coin] = by

    # The bus

    def answer(self, block: Block, now_s: float) -> Reply:
        self._on_acknowledged = None
        return super().answer(block, now_s)

    def acknowledged(self) -> None:
        super().acknowledged()
        if self._on_acknowledged is not None:
            with self._lock:
                self._on_acknowledged()

    def _command(self, block: Block, now_s: float) -> Reply:
        if block.head != Command.EXPANSION or not block.data or block.data[0] not in list(Sub):
            return super()._command(block, now_s)
        sub = Sub(block.data[0])
        if _NEEDS.get(sub, self._on) not in self._on:
            return Silence()
        return self._expansion(sub, block.data[1:], now_s)

    def _expansion(self, sub: Sub, data: bytes, now_s: float) -> Reply:
        told = b""  # an ACK
        match sub:
            case Sub.IDENTIFICATION:
                told = IDENTIFICATION + self._features.to_bytes(4, "big")
            case Sub.FEATURE_ENABLE:
                self._on = self._features & Feature(int.from_bytes(data, "big"))
            case Sub.PAYOUT:
                self._pay_value(data[0], now_s)
            case Sub.PAYOUT_VALUE_POLL:
                self._on_acknowledged = self._value_told
                told = bytes([self._value_paid]) if self._leaving or self._value_paid else b""
            case Sub.PAYOUT_STATUS:
                self._on_acknowledged = self._paid_status.clear
                told = b"" if self._leaving else _by_type(self._paid_status + self._status_error)
            case Sub.DIAGNOSTIC_STATUS:
                told = bytes(code for pair in self._shown() for code in pair)
            case Sub.MANUAL_FILL_REPORT:
                self._on_acknowledged = self._fill_report.clear
                told = _by_type(self._fill_report).ljust(16, b"\0")
            case Sub.MANUAL_PAYOUT_REPORT:
                self._on_acknowledged = self._payout_report.clear
                told = _by_type(self._payout_report).ljust(16, b"\0")
        return Data(told) if told else Ack()

    def _shown(self) -> list[tuple[int, int]]:
        inventory = [NEW_INVENTORY] if self._fill_report or self._payout_report else []
        return [*self._diagnostics, *inventory] or [OK]

    def _pay_value(self, value: int, now_s: float) -> None:
        """Greedy, over what the tubes are thought to hold."""
        self._paid_status.clear()
        self._value_paid = 0
        at_s = now_s
        for coin in reversed(range(len(CREDITS))):
            for _ in range(min(value // CREDITS[coin], self._tubes[coin])):
                value -= CREDITS[coin]
                at_s += COIN_PAYOUT_S
                self._leaving.append((at_s, coin))

    def _pay(self, coin: int) -> None:
        super()._pay(coin)
        self._paid_status[coin] += 1
        self._value_paid += CREDITS[coin]

    def _value_told(self) -> None:
        self._value_paid = 0

    def _forget(self) -> None:
        super()._forget()
        self._on = NO_FEATURES
        self._paid_status.clear()
        self._value_paid = 0


def _by_type(coins: Counter[int]) -> bytes:
    """Without the types at the end that have none, but never empty."""
    return bytes(coins[coin] for coin in range(max((c for c in coins if coins[c]), default=0) + 1))
