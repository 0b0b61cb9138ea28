"""The edge's inbound side as a handler of captures (shared/replay.py): prices, config, receipts, commands.

Of the capture it hears what is meant for its own machine. The machine starts and connects just before the
first message that it hears; its timers run in the capture's time. A capture has no PUBACKs: the broker of a
replay takes everything at once.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.config import EdgeSettings
from edge.core import Core
from edge.link_events import Command, Connected, Inbound, PubAcked, Publish, Wake
from edge.sale import events as ev
from edge.store.journal import Journal
from edge.store.kept import Kept
from edge.store.seeded import seed
from edge.support_file import MARK, REFUSED, SOURCE
from shared import topics
from shared.answers import Answers
from shared.capture import CaptureError, Message, read, read_header
from shared.clock import Now

_ARRAY_OF_ONE: Final = 1  # bytes before the record in a message of one


class CoreHandler:
    """`core` has not been started. `commands`: what else it wanted done, at devices and connection."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._has_started = False
        self.commands: list[Command] = []

    def handle(self, message: Message, now: Now) -> Iterable[Message]:
        parsed = topics.parse(message.topic)
        if parsed is None or parsed[0] != self._core.journal.machine:
            return []
        if parsed[1].direction is not topics.Direction.DOWN:
            return []
        commands: list[Command] = []
        if not self._has_started:
            self._has_started = True
            commands += self._core.handle(ev.Booted(), now)
            commands += self._core.handle(Connected(session_present=False, max_packet_bytes=None), now)
        commands += self._core.handle(Inbound(message.topic, message.payload), now)
        return self._sort(commands, now)

    def wake(self, now: Now) -> Iterable[Message]:
        return self._sort(self._core.handle(Wake(), now), now)

    def next_wake_s(self) -> float | None:
        return self._core.next_wake_s() if self._has_started else None

    def _sort(self, commands: Sequence[Command], now: Now) -> list[Message]:
        """Until nothing more follows from what the broker took."""
        said: list[Message] = []
        while commands:
            self.commands += [command for command in commands if not isinstance(command, Publish)]
            left = [command for command in commands if isinstance(command, Publish)]
            said += [_message(command, now) for command in left]
            taken = [PubAcked(command.token, 0) for command in left if command.token is not None]
            commands = [command for event in taken for command in self._core.handle(event, now)]
        return said


def _message(said: Publish, now: Now) -> Message:
    return Message(
        t_ns=round(now.monotonic_s * 10**9),
        at_ns=now.wall_ns,
        dir="out",
        topic=said.topic,
        qos=said.qos,
        retain=said.retain,
        payload=said.payload,
        properties={"ContentType": said.content_type},
    )


# ---- bug reports -------------------------------------------------------------------------------------------


@contextmanager
def reported(path: Path, folder: Path) -> Iterator[Core]:
    """The machine of a file that `vend-edge support` wrote, as it was before the first message in it.

    What a receipt of the file settled is owed again. Its journal is made in `folder`, which is empty. Raises
    CaptureError for another file.
    """
    header = read_header(path)
    if header.source != SOURCE:
        raise CaptureError(f"{path} is no file of `{SOURCE}` ({header.source})")
    told = header.about
    files = {"data_dir": folder, "status_file": folder / "status.json", "mdb_port": "", "board_port": ""}
    settings = EdgeSettings(**{**told["settings"], **files})
    journal_file = folder / "journal.db"
    epoch, before = told["journal"]["epoch"], json.dumps(told["before"]).encode()
    seed(journal_file, settings.machine, epoch, _records(list(read(path)), epoch), before)
    with Journal(journal_file, settings.machine) as journal:
        yield Core(
            journal,
            settings.machine_setting(told["versions"]["vendlink"], journal.claim_key),
            settings.slot_settings(),
            settings.price_list(),
            random.Random(0),  # noqa: S311  # the same jitter each time
        )


def _records(messages: Sequence[Message], epoch: str) -> list[Kept]:
    heard = Answers(messages).on(topics.RECEIPT.filter, epoch=epoch)
    told = [(first, last) for receipt in heard for first, last in receipt["stored"]]
    told += [(refusal["seq"], refusal["seq"]) for receipt in heard for refusal in receipt["refused"]]
    records = []
    for message in messages:
        marks = dict(message.properties.get("UserProperty", ()))
        if MARK in marks:
            state, number = marks[MARK].split()
            kept = Kept(int(number), state, marks.get(REFUSED), message.payload[_ARRAY_OF_ONE:])
            is_told = any(first <= kept.seq <= last for first, last in told)
            records.append(replace(kept, state="owed", refused=None) if is_told else kept)
    return records
