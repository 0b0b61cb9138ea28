"""Whether this journal is the one that the cloud knows, or a copy of it: a restored backup, a cloned card.

The cloud's watermark names the highest record that it holds of this epoch. It is a twin's when this journal
has no such number, or another record under it. Then only numbers up to the twin's highest are sent: the cloud
says of each that it has the very same record, or that the number is taken. When none of them is owed any
more, all that the cloud has not got goes into a new epoch (Journal.fork).

Nothing is stored twice, because a record is moved only when the cloud said that it has not got it, or when it
was never sent: numbers that may be on their way are in doubt, too. What was sent before this connection has
arrived when the watermark answers this connection's status, as the cloud takes messages in order.

No I/O but the journal's; time is an argument.
"""

from itertools import zip_longest
from typing import Final

from pydantic import ValidationError

from edge.store.journal import Journal, Owed
from shared.messages import NUMBER_TAKEN, Receipt, Watermark, check

WATERMARK_WAIT_S: Final = 2.0


class Lineage:
    """`wait_s`: how long after a connect the cloud's word is waited for."""

    def __init__(self, journal: Journal, wait_s: float) -> None:
        self._journal = journal
        self._wait_s = wait_s
        self._since_ns = 0
        self._wait_until_s: float | None = None
        self._sent_to = journal.last_seq  # numbers up to this one may be on their way to the cloud
        self._twins = journal.taken()  # numbers up to this one may be a twin's
        if self._twins is not None:
            self._doubt(self._twins)

    def connected(self, since_ns: int, now_s: float) -> None:
        """`since_ns`: what this connection's status says; the watermark that answers it says it too."""
        self._since_ns = since_ns
        self._wait_until_s = now_s + self._wait_s

    def waits_until_s(self, now_s: float) -> float | None:
        """Nothing is sent before; None when there is nothing to wait for."""
        if self._wait_until_s is not None and now_s >= self._wait_until_s:
            self._wait_until_s = None
            self._sent_to = self._journal.last_seq
        return self._wait_until_s

    def heard(self, payload: bytes) -> None:
        """A watermark; one that cannot be read says nothing."""
        try:
            said = Watermark.model_validate_json(payload)
        except ValidationError:
            return
        if said.heard_ns == self._since_ns and self._wait_until_s is not None:
            self._wait_until_s = None
            self._sent_to = 0
        for mark in said.journals:
            if mark.epoch == self._journal.epoch:
                times = self._journal.times(mark.epoch, mark.seq, mark.seq)
                if mark.seq > self._journal.last_seq or times not in ([], [mark.at_ns]):
                    self._doubt(mark.seq)

    def ours(self, receipt: Receipt) -> tuple[list[tuple[int, int]], list[tuple[int, str]]]:
        """Places of what is stored, and of what is refused with the reason. A twin's settles nothing."""
        journal, epoch = self._journal, receipt.epoch
        stored: list[tuple[int, int]] = []
        for (first, last), combined in zip_longest(receipt.stored, receipt.checks[: len(receipt.stored)]):
            times = journal.times(epoch, first, last)
            if combined is None or check(times) == combined:
                stored += journal.placed(epoch, [(first, last)])
            elif epoch == journal.epoch and (last > journal.last_seq or len(times) > last - first):
                self._doubt(last)  # else some of them were forgotten, and there is nothing to compare
        refused: list[tuple[int, str]] = []
        for refusal in receipt.refused:
            seq, at_ns = refusal.seq, refusal.at_ns
            if at_ns is None or journal.times(epoch, seq, seq) == [at_ns]:
                refused += [(place, refusal.reason) for place, _ in journal.placed(epoch, [(seq, seq)])]
                if refusal.reason == NUMBER_TAKEN and epoch == journal.epoch:
                    self._doubt(seq)
        return stored, refused

    def _doubt(self, seq: int) -> None:
        self._twins = max(seq, self._twins or 0, self._sent_to)

    def owed(self, stream: str, after: int, limit: int) -> list[Owed]:
        """What may be sent of a stream, as Journal.owed."""
        found = self._journal.owed(stream, after, limit)
        if self._twins is not None:
            last = self._journal.epochs.after + self._twins
            found = [record for record in found if record.seq <= last]
        if found:
            self._sent_to = max(self._sent_to, found[-1].seq - self._journal.epochs.after)
        return found

    def must_fork(self) -> bool:
        """The journal is a copy, and the cloud has said of every number in doubt what it holds."""
        if self._twins is None:
            return False
        owed_from = self._journal.owed_from()
        return owed_from is None or owed_from > self._twins

    def forked(self) -> None:
        """The journal has a new epoch, of which nothing was sent."""
        self._twins = None
        self._sent_to = 0
