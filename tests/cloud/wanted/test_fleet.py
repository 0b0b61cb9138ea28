"""A change of the whole fleet reaches every machine's topic, through the real broker and cloud process."""

from pathlib import Path

from tests.bench.fleet_prices import fleet_wide_change


def test_a_price_of_the_fleet_reaches_every_machine(tmp_path: Path) -> None:
    """More than one page of them, and more than the broker takes unacknowledged."""
    assert fleet_wide_change(tmp_path, 450).messages == 450
