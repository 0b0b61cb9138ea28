"""A capture, fed straight into a handler: no broker, no thread, no sleep, no clock but the capture's own.

Time is that of the messages. Between two of them the handler's timers run out, each at the moment it is set
for, in order. So the same capture and the same handler always give the same answers, at once.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from shared.answers import Answers
from shared.capture import Message
from shared.clock import Now

_NS: Final = 10**9
BOOT: Final = "replay"


class Handler(Protocol):
    """What a capture can be fed into. Both return what is published in answer, as messages with `dir` out."""

    def handle(self, message: Message, now: Now) -> Iterable[Message]: ...

    def wake(self, now: Now) -> Iterable[Message]:
        """The moment has come that `next_wake_s` named."""

    def next_wake_s(self) -> float | None:
        """When to wake it, in the monotonic time of `Now`; None: not at all."""


class Plain:
    """A function as a handler without timers. It may return None."""

    def __init__(self, handle: Callable[[Message, Now], Iterable[Message] | None]) -> None:
        self._handle = handle

    def handle(self, message: Message, now: Now) -> Iterable[Message]:
        return self._handle(message, now) or ()

    def wake(self, now: Now) -> Iterable[Message]:
        raise AssertionError(now)  # it has no timer

    def next_wake_s(self) -> float | None:
        return None


def replay(messages: Iterable[Message], handler: Handler, after_s: float = 1.0) -> Answers:
    """`after_s`: how long timers go on after the last message.

    Monotonic time is the capture's `t_ns` and never goes back, whatever a recorder's clock did; wall time is
    what each message says. A handler that was woken and wants the same moment again waits for the next one.
    """
    answers = Answers()
    now = Now(0, 0.0, "synced", BOOT)
    for message in messages:
        at_s = max(now.monotonic_s, message.t_ns / _NS)
        _run_timers(handler, answers, now, at_s)
        now = Now(message.at_ns, at_s, "synced", BOOT)
        answers.messages += handler.handle(message, now)
    _run_timers(handler, answers, now, now.monotonic_s + after_s)
    return answers


def _run_timers(handler: Handler, answers: Answers, since: Now, until_s: float) -> None:
    woken_s: float | None = None
    while (wake_s := handler.next_wake_s()) is not None and wake_s <= until_s:
        at_s = max(since.monotonic_s, wake_s)
        if woken_s is not None and at_s <= woken_s:
            return
        woken_s = at_s
        passed_ns = round((at_s - since.monotonic_s) * _NS)
        answers.messages += handler.wake(Now(since.wall_ns + passed_ns, at_s, "synced", BOOT))
