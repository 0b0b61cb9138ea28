"""Scenarios as text: one step a line, and indented what the machine did in answer.

    insert 2.00                          a step runs until nothing more happens
    press A1, until motor A1 runs        or until this line has come
    press A1, killed before the motor    or until the program dies, before it does what it has committed
    insert a note of 5.00, at once       or not at all: the next step happens in the same moment
    wait 20 s                            or for a time

The rows of tests/scenarios/steps.py are all there is. Lines with `#` are for the reader; `given` lines come
before `switch on`. A line that came 2 s or more after the one before it begins with the seconds since the
start.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

from edge.link_events import Command, Publish
from edge.mdb.frame import Block
from edge.sale import effects as act
from edge.sale.state import Phase
from shared import codec
from shared.records import Body
from tests.scenarios import books, words
from tests.scenarios.bench import Bench
from tests.scenarios.steps import ROWS, Steps

QUIET_S = 3.0
STEP_LIMIT_S = 60.0
LATE_S = 2.0
BUSY = {Phase.VENDING, Phase.PAYING, Phase.REVALUING, Phase.REFUNDING}
ENDINGS = {
    ", until ": "until",
    ", at once": "at once",
    ", killed before ": "before",
    ", power cut before ": "before",
}
DEATHS: dict[str, type[Command]] = {
    "the motor": act.RunMotor,
    "the payout": act.PayOut,
    "the note is stacked": act.SettleBill,
    "the reader is asked": act.RequestVend,
    "the reader is told": act.ConfirmVend,
    "the reader is told to refund": act.FailVend,
    "the reader is told to charge the card up": act.Revalue,
}


class Script(Steps):
    """One scenario's run; `play` returns its text as it should be."""

    def __init__(self, folder: Path, dies_at_commit: int = 0, dies_after_s: float = 0.0) -> None:
        super().__init__()
        self._folder = folder
        self._dies_at_commit = dies_at_commit
        self._dies_after_s = dies_after_s
        self._bench: Bench | None = None
        self._lines: list[tuple[float, str]] = []
        self._moved: Counter[str] = Counter()
        self._message = ""
        self._told = {"credit": words.money(0)}
        self._acted_s = 0.0

    def play(self, text: str) -> str:
        out: list[str] = []
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                out.append(line)
            elif not line.startswith((" ", "=")):
                out += [line, *(f"    {answer}" for answer in self.step(line))]
        out += [f"= {line}" for line in self.end()]
        return "\n".join(out) + "\n"

    @property
    def bench(self) -> Bench:
        assert self._bench is not None, "switch on first"
        return self._bench

    def switch_on(self) -> None:
        self._bench = bench = Bench(self._folder, self.fitted, self)
        bench.network_up = self.network_up
        bench.dies_at_commit, bench.dies_after_s = self._dies_at_commit, self._dies_after_s
        bench.boot()

    @property
    def died(self) -> bool:
        return self._bench is not None and not self._bench.alive

    # ---- one step

    def step(self, line: str) -> list[str]:
        """Do it, let the machine answer, and say what it did."""
        action, kind, what = _split(line)
        began_s = self.bench.now_s if self._bench else 0.0
        self._lines, self.wait_s, self._acted_s = [], 0.0, began_s
        if kind == "before":
            self.bench.dies_before = DEATHS[what]
        self._do(action)
        if self._bench is None:
            return []
        if self.wait_s:
            self._run(lambda: False, self.wait_s)
        elif kind == "until":
            self._run(lambda: any(what in text for _, text in self._lines), STEP_LIMIT_S)
            assert any(what in text for _, text in self._lines), f"{what!r} did not come: {self._lines}"
        elif kind == "at once":
            pass
        elif kind == "before":
            self._run(lambda: not self.bench.alive, STEP_LIMIT_S)
            assert not self.bench.alive, f"{line!r}: it did not come to that"
            if "power cut" in line:
                self.bench.cut_power()
        else:
            self._run(self._is_quiet, STEP_LIMIT_S)
        answers = _layout(self._lines, began_s)
        return answers if kind in {"until", "at once"} else [*answers, *self._summary()]

    def _do(self, action: str) -> None:
        for pattern, does in [(r"switch on", Script.switch_on), *ROWS]:
            if match := re.fullmatch(pattern, action):
                does(self, *match.groups())
                return
        raise AssertionError(f"no such step: {action}")

    def _run(self, done: Callable[[], bool], limit_s: float) -> None:
        until_s = self.bench.now_s + limit_s
        while self.bench.now_s < until_s and not done():
            self.bench.tick(until_s)

    def _is_quiet(self) -> bool:
        if not self.bench.alive:
            return True
        last_s = self._lines[-1][0] if self._lines else 0.0
        since_s = self.bench.now_s - max(last_s, self._acted_s)
        return since_s >= QUIET_S and self.bench.core.state.phase not in BUSY

    # ---- what is said

    def say(self, text: str) -> None:
        self._lines.append((self.bench.now_s, text))

    def moved(self) -> None:
        self._watch_hardware()
        message = self.bench.core.state.message
        if self.bench.alive and message != self._message:
            self._message = message
            self.say(f"screen: {message or '-'}")

    def _watch_hardware(self) -> None:
        moved = words.moved(self.bench)
        for text, count in (moved - self._moved).items():
            for _ in range(count):
                self.say(text)
        self._moved = moved

    def committed(self, bodies: Sequence[Body]) -> None:
        self._watch_hardware()
        for body in bodies:
            self.say(f"record: {words.record(body)}")

    def heard(self, block: Block) -> None:
        text = words.block(block)
        if text:
            self._watch_hardware()
            self.say(text)

    def uploaded(self, message: Publish) -> None:
        if self.shows_uploads:
            records = codec.unpack(message.payload)
            assert isinstance(records, tuple)
            numbers = " ".join(str(record["seq"]) for record in records)
            self.say(f"uploaded {message.topic.rsplit('/', 1)[1]} {numbers}")

    def _summary(self) -> list[str]:
        """What changed for the next customer."""
        now = words.shown(self.bench)
        news = [f"{what}: {how}" for what, how in now.items() if self._told.get(what) != how]
        self._told |= now
        return news

    # ---- the end

    def end(self) -> list[str]:
        """The bench judges."""
        counts = self.bench.journal.counts
        lines = [books.check(self.bench)]
        if self.bench.network_up:
            total = counts.owed + counts.stored + counts.parked
            assert (counts.owed, len(self.bench.database.points)) == (0, total)
            lines.append(f"all {total} records are in the database")
        else:
            lines.append(f"{counts.owed} records wait for the network")
        return lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bench is not None and self._bench.alive:
            self._bench.kill()


def _split(line: str) -> tuple[str, str, str]:
    """Action, how it ends, and by what."""
    for mark, kind in ENDINGS.items():
        action, found, what = line.partition(mark)
        if found:
            return action, kind, what
    return line, "", ""


def _layout(lines: list[tuple[float, str]], began_s: float) -> list[str]:
    """What comes out one after the other on one line, and the time where some passed."""
    out: list[str] = []
    last_s = began_s
    for text, group in groupby(lines, lambda line: line[1]):
        times_s = [at_s for at_s, _ in group]
        many = f" x {len(times_s)}" if len(times_s) > 1 else ""
        late = f"{times_s[0]:.0f} s: " if times_s[0] - last_s >= LATE_S else ""
        last_s = times_s[-1]
        out.append(f"{late}{text}{many}")
    return out
