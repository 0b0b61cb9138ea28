"""How good the way to the broker is: reconnects of a day, since when, and how soon it answers."""

from edge.health.link import DAY_S, MAX_RECONNECTS, LinkTimes


def test_the_first_connection_is_no_reconnect_and_a_day_forgets() -> None:
    link = LinkTimes()
    for at_s in (10.0, 20.0, 30.0):
        link.connected(at_s)
        link.disconnected()
    assert (link.reconnects_24h(40.0), link.up_s) == (2, None)
    assert link.reconnects_24h(20.0 + DAY_S + 1) == 1
    assert link.reconnects_24h(30.0 + DAY_S + 1) == 0


def test_reconnects_without_end_are_counted_up_to_a_limit() -> None:
    link = LinkTimes()
    for at in range(3 * MAX_RECONNECTS):
        link.connected(float(at))
    assert link.reconnects_24h(float(3 * MAX_RECONNECTS)) == MAX_RECONNECTS


def test_a_round_trip_is_the_median_of_the_last_ones_and_never_zero() -> None:
    link = LinkTimes()
    assert link.round_trip_ms is None
    link.acked(None)
    assert link.round_trip_ms is None
    for _ in range(20):
        link.acked(0.0001)
    assert said(link) == 1
    for _ in range(20):
        link.acked(0.080)
    link.acked(9.0)
    assert said(link) == 80


def said(link: LinkTimes) -> int | None:
    return link.round_trip_ms
