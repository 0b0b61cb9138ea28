"""Virtual time: what a handler is told and when, always the same."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.answers import Answers
from shared.capture import Message
from shared.clock import Now
from shared.replay import Plain, replay
from tests.tap.messages import START_NS, message, sales

S = 10**9


def said(topic: str, now: Now) -> Message:
    return Message(round(now.monotonic_s * S), now.wall_ns, "out", topic, 1, False, b"{}")


class Bell:
    """Rings some seconds after each message, and says when it was."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.due_s: list[float] = []

    def handle(self, message: Message, now: Now) -> Iterable[Message]:
        self.due_s.append(now.monotonic_s + self.delay_s)
        return [said("heard", now)]

    def next_wake_s(self) -> float | None:
        return min(self.due_s, default=None)

    def wake(self, now: Now) -> Iterable[Message]:
        self.due_s.remove(min(self.due_s))
        return [said("rang", now)]


def told(answers: Answers) -> list[tuple[str, float]]:
    return [(m.topic, m.t_ns / S) for m in answers.messages]


def test_timers_run_out_between_messages_each_at_its_moment() -> None:
    messages = [message("x", t_ns=t * S) for t in (1, 2, 10)]
    answers = replay(messages, Bell(1.5), after_s=2.0)
    assert told(answers) == [
        *(("heard", 1.0), ("heard", 2.0), ("rang", 2.5), ("rang", 3.5), ("heard", 10.0), ("rang", 11.5)),
    ]
    assert [m.at_ns - START_NS for m in answers.messages] == [m.t_ns for m in answers.messages]
    assert told(replay(messages, Bell(1.5), after_s=1.0))[-1] == ("heard", 10.0), "nobody waited so long"


@given(st.lists(st.integers(0, 20 * S), max_size=15), st.sampled_from([0.0, 0.5, 3.0]))
def test_time_never_goes_back_and_a_capture_always_gives_the_same(times: list[int], delay_s: float) -> None:
    messages = [message("x", t_ns=t_ns) for t_ns in times]
    first = told(replay(messages, Bell(delay_s), after_s=100.0))
    assert first == told(replay(messages, Bell(delay_s), after_s=100.0))
    moments = [at_s for _, at_s in first]
    assert moments == sorted(moments)
    assert [topic for topic, _ in first].count("heard") == len(times)


def test_a_timer_that_is_never_content_does_not_hold_up_the_capture() -> None:
    class Nag(Bell):
        def wake(self, now: Now) -> Iterable[Message]:
            return [said("nag", now)]

    answers = replay([message("x", t_ns=1 * S), message("x", t_ns=2 * S)], Nag(0.0), after_s=1.0)
    assert told(answers) == [("heard", 1.0), ("nag", 1.0), ("heard", 2.0), ("nag", 2.0)]


def test_a_function_is_a_handler() -> None:
    heard: list[str] = []

    def handle(message: Message, now: Now) -> None:
        heard.append(f"{message.topic} {now.monotonic_s}")

    assert str(replay([sales("m1", 1, t_ns=S)], Plain(handle))) == "  nothing"
    assert heard == ["vend/v1/m1/sale 1.0"]


def test_answers_are_found_by_topic_and_field_and_a_miss_says_what_there_was() -> None:
    answers = Answers([sales("m1", 1, 2), sales("m2", 1), message("note", b"hello")])
    assert [r["seq"] for r in answers.expect("vend/v1/m1/sale", times=2)] == [1, 2]
    assert len(answers.expect("vend/v1/+/sale", times=2, seq=1)) == 2
    answers.expect("nothing/#", times=0)
    with pytest.raises(AssertionError, match=r"(?s)0 times seq=9 on vend/#, not 1.*\"seq\": 2.*note") as told:
        answers.expect("vend/#", seq=9)
    assert "m2" in str(told.value)
