"""Figures that people quote are computed right."""

import pytest

from tests.bench.figures import Figure, percentile


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)])
def test_percentile_is_a_measured_value(share: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_a_figure_of_several_runs_shows_its_range() -> None:
    assert Figure("f", (1200.0, 3.0, 40.0), "B", "how").text() == "40 (3 to 1,200) B"
    assert Figure("f", (1.234,), "ms", "how", digits=2).text() == "1.23 ms"
