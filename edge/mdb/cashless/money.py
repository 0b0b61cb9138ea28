"""The machine's minor units and the cashless reader's scaled units, each way (MDB/ICP 4.2 §7.4.2).

An amount that is no whole number on the other side is None: it is refused, never rounded. Only what nobody is
charged with may be rounded: a price range, which gets wider, and funds or a limit, which get smaller.
"""

from dataclasses import dataclass

from edge.mdb.cashless.codes import Config


@dataclass(frozen=True, slots=True)
class Scaling:
    """minor = raw * multiply / divide; `max_raw` is the largest amount that fits a command."""

    multiply: int
    divide: int
    max_raw: int

    def minor(self, raw: int) -> int | None:
        value, rest = divmod(raw * self.multiply, self.divide)
        return None if rest else value

    def minor_down(self, raw: int) -> int:
        return raw * self.multiply // self.divide

    def raw(self, minor: int) -> int | None:
        value, rest = divmod(minor * self.divide, self.multiply)
        return None if rest or not 0 <= value <= self.max_raw else value

    def raw_range(self, max_minor: int, min_minor: int) -> tuple[int, int]:
        highest = -(-max_minor * self.divide // self.multiply)
        lowest = min_minor * self.divide // self.multiply
        return min(highest, self.max_raw), min(lowest, self.max_raw)


def scaling_of(config: Config, minor_exponent: int, max_raw: int) -> Scaling | None:
    """None: a scale of zero, with which every amount would be nothing."""
    if not config.scale:
        return None
    more = minor_exponent - config.decimals
    return Scaling(config.scale * 10 ** max(more, 0), 10 ** max(-more, 0), max_raw)
