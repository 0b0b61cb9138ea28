"""Restored backups and cloned cards: nothing is lost, doubled or overwritten, and the totals stay right."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.records import Audit, parse_record
from shared.totals import TOTALS, moved
from tests.world.copies import MACHINE, Cloud, Twin, copy


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with closing(Cloud(tmp_path)) as made:
        yield made


def sales(cloud: Cloud) -> list[tuple[str, int]]:
    return sorted((epoch, point["seq"]) for (kind, epoch, _), point in cloud.points.items() if kind == "sale")


def forks(cloud: Cloud) -> int:
    return sum(point.get("code") == "journal_forked" for point in cloud.points.values())


def check(cloud: Cloud, *twins: Twin) -> None:
    """Every product that dropped is one point, no number is used twice, and each epoch's audits agree."""
    stored = sales(cloud)
    assert len(stored) == sum(twin.sold for twin in twins)
    assert all(len(times) == 1 for times in cloud.seen.values()), "a number was used twice"
    for account in cloud.books.accounts(MACHINE):
        assert not account.missing
        assert not account.waiting
        assert account.complete_to == account.highest
        assert audits_agree(cloud, account.epoch)


def audits_agree(cloud: Cloud, epoch: str) -> bool:
    points = [point for (_, of, _), point in cloud.points.items() if of == epoch]
    running: Audit | None = None
    for point in sorted(points, key=lambda point: int(point["seq"])):
        body = parse_record(point).body
        if running is not None:
            running = moved(running, body, 1)
        if isinstance(body, Audit):
            names = [total.name for total in TOTALS]
            if running is not None and [getattr(running, n) for n in names] != [
                getattr(body, n) for n in names
            ]:
                return False
            assert running is None or running.slots == body.slots
            running = body
    return True


@pytest.mark.parametrize("owed", [0, 3])
@pytest.mark.parametrize("more", [0, 5])
def test_a_backup_put_back_begins_a_new_epoch(tmp_path: Path, cloud: Cloud, owed: int, more: int) -> None:
    """`owed`: not yet uploaded when the backup was made; `more`: sold offline by the restored one."""
    rng = random.Random(1)
    machine = Twin(tmp_path / "m", cloud, rng)
    machine.sell()
    machine.settle()
    machine.cut()
    for _ in range(owed):
        machine.sell()
    machine.stop()
    copy(machine.folder, tmp_path / "backup")
    machine.start()
    for _ in range(4):
        machine.sell()
    machine.settle()
    before = dict(cloud.points)
    epoch = machine.journal.epoch
    machine.stop()

    copy(tmp_path / "backup", machine.folder)
    machine.start()
    for _ in range(more):
        machine.sell()
    machine.settle()
    assert machine.journal.epoch != epoch
    assert before.items() <= cloud.points.items(), "overwritten"
    check(cloud, machine)
    assert forks(cloud) == 1
    machine.sell()
    machine.cut()
    machine.settle()
    check(cloud, machine)
    assert forks(cloud) == 1
    assert machine.journal.counts.parked == 0
    machine.stop()


def test_a_backup_from_before_a_fork_is_noticed_too(tmp_path: Path, cloud: Cloud) -> None:
    machine = Twin(tmp_path / "m", cloud, random.Random(1))
    machine.sell()
    machine.settle()
    machine.stop()
    copy(machine.folder, tmp_path / "backup")
    for _ in range(2):
        machine.start()
        machine.sell()
        machine.settle()
        machine.stop()
        copy(tmp_path / "backup", machine.folder)
    machine.start()
    machine.settle()
    check(cloud, machine)
    assert forks(cloud) == 2
    assert len({account.epoch for account in cloud.books.accounts(MACHINE)}) == 3
    machine.stop()


def test_a_new_card_is_no_copy(tmp_path: Path, cloud: Cloud) -> None:
    machine = Twin(tmp_path / "m", cloud, random.Random(1))
    machine.sell()
    machine.settle()
    machine.stop()
    (machine.folder / "journal.db").unlink()
    machine.start()
    machine.sell()
    machine.settle()
    check(cloud, machine)
    assert forks(cloud) == 0
    machine.stop()


class Wires:
    """The broker takes one client of a name: who connects pushes the other one out."""

    def __init__(self, cloud: Cloud, rng: random.Random) -> None:
        self._cloud = cloud
        self._rng = rng
        self._online: Twin | None = None

    def connect(self, twin: Twin) -> None:
        if self._online is not None and self._online is not twin:
            self._online.cut()
        if self._online is not twin:
            twin.connect()
        self._online = twin

    def turn(self, twin: Twin) -> None:
        match self._rng.choice(("sell", "sell", "connect", "exchange", "restart", "lose")):
            case "sell":
                twin.sell()
            case "connect":
                self.connect(twin)
            case "restart":
                self._online = None if self._online is twin else self._online
                twin.stop()
                twin.start()
            case "exchange" if self._online is not None:
                self._online.exchange(lossy=self._rng.random() < 0.5)
            case "lose" if self._rng.random() < 0.3:
                self._cloud.waiting.clear()


@pytest.mark.parametrize("seed", range(40))
def test_clones_that_take_turns_lose_nothing_and_double_nothing(
    tmp_path: Path, cloud: Cloud, seed: int
) -> None:
    rng = random.Random(seed)
    twins = [Twin(tmp_path / "0", cloud, rng)]
    for _ in range(rng.randrange(4)):
        twins[0].sell()
    if rng.random() < 0.7:
        twins[0].connect()
        twins[0].exchange(rng.randrange(3))
    for _ in range(rng.randrange(3)):
        twins[0].sell()
    twins[0].stop()
    for number in (1, 2):
        copy(twins[0].folder, tmp_path / str(number))
        twins.append(Twin(tmp_path / str(number), cloud, rng))
    twins[0].start()
    wires = Wires(cloud, rng)
    for _ in range(60):
        wires.turn(rng.choice(twins))
    for twin in (*twins, *twins):
        wires.connect(twin)
        twin.settle()
    assert len(sales(cloud)) == sum(twin.sold for twin in twins)
    assert len({twin.journal.epoch for twin in twins}) == 3
    assert all(len(times) == 1 for times in cloud.seen.values()), "a number was used twice"
    assert all(not a.missing and not a.waiting for a in cloud.books.accounts(MACHINE))
    for twin in twins:
        assert twin.journal.counts.parked == 0
        twin.stop()
