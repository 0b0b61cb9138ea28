"""What a coin changer said of itself in SETUP and identification, and the blocks that depend on that."""

from dataclasses import dataclass

from edge.mdb.coin.codes import (
    Setup,
    Tubes,
    by_mask,
    coin_type,
    dispense_commands,
    parse_tubes,
    values_minor,
    with_tubes_only,
)
from edge.mdb.coin.expansion import NO_FEATURES, Feature, Identification, payout_commands, pays_greedily
from edge.mdb.frame import Block


@dataclass(frozen=True, slots=True)
class Profile:
    setup: Setup
    values: tuple[int, ...]
    identification: Identification | None = None

    @property
    def features(self) -> Feature:
        return self.identification.features if self.identification else NO_FEATURES

    @property
    def fitted(self) -> frozenset[int]:
        """Coin types that have a tube."""
        return frozenset(by_mask(self.setup.tube_mask))

    def coin_type(self, *, enabled: bool) -> Block:
        paying = sum(1 << coin for coin, value in enumerate(self.values) if value)
        return coin_type(paying if enabled else 0)

    def payout(self, coins: tuple[int, ...], tubes: tuple[int, ...]) -> list[Block]:
        """By value where the changer has that and will find the coins itself, highest first; else by type."""
        if Feature.ALTERNATIVE_PAYOUT in self.features:
            orders = payout_commands(coins, self.setup.credits)
            if pays_greedily([order.data[1] for order in orders], self.setup.credits, tubes):
                return orders
        return dispense_commands(coins)

    def tubes(self, data: bytes) -> Tubes | None:
        tubes = parse_tubes(data)
        return None if tubes is None else with_tubes_only(tubes, self.setup)


def profile(setup: Setup, minor_exponent: int) -> Profile | None:
    """None where a coin's value is no whole number of minor units."""
    values = values_minor(setup, minor_exponent)
    return None if values is None else Profile(setup, values)
