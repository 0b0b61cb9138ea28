"""A capture, published again to a broker: in order, at its own pace or another.

Contract: returns when the broker has confirmed every message with QoS 1 or 2, or said why not
(`link.refused`). Over a lost connection those are sent again, so the broker may get some twice; with QoS 0
what was under way is lost, as QoS 0 has it. Memory holds the window of confirmations and one message more.
"""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from shared.capture import Message
from shared.tap.link import Link

_WINDOW: Final = 100
_TURN_S: Final = 0.5
_NS: Final = 10**9


def play(
    link: Link,
    messages: Iterable[Message],
    speed: float | None = 1.0,
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """How many were published. `speed`: 2.0 is twice as fast as it was; None: as fast as it goes. Raises
    LinkError.
    """
    played = 0
    start_s = monotonic()
    first_ns: int | None = None
    for message in messages:
        first_ns = message.t_ns if first_ns is None else first_ns
        if speed is not None:
            _pass_time(link, start_s + (message.t_ns - first_ns) / _NS / speed, is_over)
        while (not link.is_up or len(link.unconfirmed) >= _WINDOW) and not is_over():
            link.turn(_TURN_S)
        if is_over():
            break
        link.publish(message)
        played += 1
    while link.unconfirmed and not is_over():
        link.turn(_TURN_S)
    return played


def _pass_time(link: Link, until_s: float, is_over: Callable[[], bool]) -> None:
    while (left_s := until_s - monotonic()) > 0 and not is_over():
        link.turn(min(left_s, _TURN_S))
