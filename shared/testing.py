"""What tests of a program that speaks MQTT need: a broker of their own, and all that it carries.

A broker is a real Mosquitto (shared/servers.py). Everything waits for something, never longer than a limit.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from shared.answers import Answers
from shared.capture import Header, Message
from shared.capture.rotation import new
from shared.servers import Mosquitto
from shared.settings import MqttSettings
from shared.tap.link import Link, LinkError
from shared.tap.player import play
from shared.tap.recorder import Recorder

LIMIT_S: Final = 10.0
_LAST: Final = "vend-recording/last"  # a message of our own: when it is back, all before it have come


class TestBroker(Mosquitto):
    """`host` and `port` are where it listens."""

    __test__ = False  # for pytest, which would collect it by its name

    @property
    def settings(self) -> MqttSettings:
        return MqttSettings(host=self.host, port=self.port)

    def publish(self, messages: Iterable[Message]) -> None:
        """In order and as fast as it goes; the broker has them all when it returns."""
        with Link(self.settings, _quiet) as link:
            play(link, messages, speed=None)
        if link.refused:
            raise AssertionError(f"the broker does not take {dict(link.refused)}")


class Recording:
    """All messages of a broker, in `path` and in `answers`, while its `with` block runs."""

    def __init__(self, broker: TestBroker, path: Path) -> None:
        self.path = path
        self.answers = Answers()
        self._writer = new(path, Header(time.time_ns(), "vend_recording", {"retain_as_published": True}))
        self._news = threading.Condition()
        self._is_over = threading.Event()
        self._has_all = threading.Event()
        self._broker = broker
        self._recorder = Recorder(broker.settings, ["#"], self._keep, _quiet)
        self._thread = threading.Thread(
            target=self._recorder.run, args=(self._is_over.is_set,), name="vend-recording", daemon=True
        )

    def __enter__(self) -> Self:
        self._recorder.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()

    def finish(self) -> None:
        """What was published until now is in the file; nothing more is heard. May be called again."""
        if not self._is_over.is_set():
            with suppress(LinkError):  # a test may have ended its broker
                self._broker.publish([Message(0, 0, "out", _LAST, 1, retain=False, payload=b"")])
                self._has_all.wait(LIMIT_S)
            self._is_over.set()
            self._thread.join(LIMIT_S)
            self._recorder.__exit__()
            self._writer.close()

    def expect(self, pattern: str, times: int = 1, within_s: float = LIMIT_S, **fields: object) -> list[Any]:
        """Waits until so much or more was said on topics of this filter, with these fields: decoded.

        Raises AssertionError, which says what was published instead.
        """
        with self._news:
            if self._news.wait_for(lambda: len(self.answers.on(pattern, **fields)) >= times, within_s):
                return self.answers.on(pattern, **fields)
            return self.answers.expect(pattern, times, **fields)

    def _keep(self, messages: Sequence[Message]) -> None:
        if any(message.topic == _LAST for message in messages):
            messages = [message for message in messages if message.topic != _LAST]
            self._has_all.set()
        self._writer.append(messages)
        with self._news:
            self.answers.messages += messages
            self._news.notify_all()


def _quiet(_text: str) -> None:
    """Trouble that passes is nothing to a test; what was lost it will miss."""
