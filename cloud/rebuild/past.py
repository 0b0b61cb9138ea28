"""Messages of the past, judged and kept as they were in their time.

What the store knows already stays as it is: newer words of machines, letters that are counted, commands that
are answered. So a rebuild may be killed, repeated, and done while messages come in.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from cloud.batch import TOLD, Arrived, Batch, DeadLetter
from cloud.store import digest_of
from shared import commands as wire
from shared import topics

_GRACE_NS: Final = 5 * 10**9  # from the time in a revocation until every process on its way had seen it

Lives = Mapping[str, Sequence[tuple[int, int | None]]]  # by name: when issued, when revoked


def denied_at(lives: Sequence[tuple[int, int | None]], at_ns: int) -> bool:
    """As cloud/identity/register.py: some certificate was revoked by then, and no other was good."""
    revoked = any(end_ns is not None and end_ns <= at_ns for _, end_ns in lives)
    good = any(issued_ns <= at_ns and (end_ns is None or end_ns > at_ns) for issued_ns, end_ns in lives)
    return revoked and not good


class Past:
    """`lives`: of all names that ever lost a certificate."""

    def __init__(self, db: sqlite3.Connection, lives: Lives) -> None:
        self._db = db
        self._lives = lives

    def refused(self, message: Arrived) -> str | None:
        """The machine, where this message was turned away because it was revoked when the message came.

        Close to the moment of a revocation only the letter that was kept then tells.
        """
        parsed = topics.parse(message.topic)
        lives = self._lives.get(parsed[0]) if parsed else None
        if parsed is None or lives is None:
            return None
        at_ns = message.arrived_ns
        if denied_at(lives, at_ns) and denied_at(lives, at_ns - _GRACE_NS):
            return parsed[0]
        letter = DeadLetter(message.topic, message.payload, "revoked", "", at_ns)
        return parsed[0] if self._is_counted(letter) else None

    def leave_news(self, batch: Batch) -> None:
        """Take out of a batch what is no news for the store."""
        for name in TOLD:
            words = getattr(batch, name)
            for machine in list(words):
                row = self._db.execute(
                    f"SELECT {name}_ns FROM machine WHERE machine = ?",  # noqa: S608  # names above
                    (machine,),
                ).fetchone()
                if row is not None and row[0] > batch.told_ns[name, machine]:
                    del words[machine]
        batch.dead = [letter for letter in batch.dead if not self._is_counted(letter)]
        batch.replies = [(m, reply) for m, reply in batch.replies if self._is_awaited(m, reply)]

    def _is_counted(self, letter: DeadLetter) -> bool:
        row = self._db.execute(
            "SELECT 1 FROM dead_letter WHERE digest = ? AND ? BETWEEN first_at_ns AND last_at_ns",
            (digest_of(letter), letter.arrived_ns),
        ).fetchone()
        return row is not None

    def _is_awaited(self, machine: str, reply: wire.Reply) -> bool:
        row = self._db.execute(
            "SELECT envelope FROM command WHERE id = ? AND machine = ? AND outcome IS NULL",
            (reply.id, machine),
        ).fetchone()
        return row is not None and wire.digest(row[0]) == reply.digest
