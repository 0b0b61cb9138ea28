"""The operator's command line: data on stdout, talk on stderr, exit codes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.batch import Arrived, digest
from cloud.database import make
from cloud.store import Store
from cloud.wanted import book
from shared import topics
from shared.messages import Availability, PriceList, Reported, Status
from tests.cloud.records import EPOCH, START_NS, arrived, sale


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as opened:
        yield opened


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n')
    return path


def call(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["--config", str(config), *words])


def know(store: Store, machine: str, **prices: int) -> None:
    value = Reported(at_ns=1, prices=PriceList(version=0, currency="EUR", prices=prices))
    message = Arrived(topics.REPORTED.of(machine), value.model_dump_json().encode(), 1, False, START_NS)
    store.keep(digest([message]), START_NS)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("prices set --machine m9 A1=1.00", 1, "never reported"),
        ("prices set --machine m1 Z9=1.00", 1, "no slot Z9; it has A1, B2"),
        ("prices set --machine m1 --machine m2 B2=1.00", 1, "m2: no slot B2"),
        ("prices set --machine m1 A1=1.555", 1, "no whole number of EUR"),
        ("prices set --machine m1 A1=0", 1, "A1=0"),
        ("prices set --all Z9=1", 1, "no machine has Z9"),
        ("prices set --machine m1 A1", 2, "write SLOT=PRICE"),
        ("prices set --machine m1 A1=1 A1=2", 2, "each slot once"),
        ("prices set A1=1.00", 2, "--machine"),
        ("prices set --machine m1 --all A1=1.00", 2, "--all"),
        ("prices set --machine m1", 2, "SLOT=PRICE"),
        ("prices show --machine m9", 1, "m9"),
        ("nonsense", 2, "No such command"),
    ],
)
def test_a_mistake_is_told_in_words_and_changes_nothing(
    config: Path, store: Store, words: str, code: int, says: str
) -> None:
    know(store, "m1", A1=150, B2=90)
    know(store, "m2", A1=150)
    done = call(config, *words.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert book.unpublished(store.db, "prices", "", everything=True) == []
    assert book.history(store.db, 1) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data_dir = 'x'\nunknown = 1\n", "unknown"),
        ("[influx]\ndatabase = 'a\"b'\n", "database"),
        ("=", "TOML"),
    ],
)
def test_settings_that_cannot_be_used(config: Path, text: str, says: str) -> None:
    config.write_text(text)
    done = call(config, "machines")
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_store_that_is_not_there_or_of_another_version(config: Path) -> None:
    assert call(config, "machines").exit_code == 1
    assert "vend-cloud run" in call(config, "machines").stderr
    make(config.parent / "store.db")
    with closing(Store(config.parent / "store.db")) as store:
        store.db.execute("PRAGMA user_version = 99")
    done = call(config, "machines")
    assert done.exit_code == 1
    assert "version 99" in done.stderr


def test_prices_of_all_machines_and_side_by_side(config: Path, store: Store) -> None:
    know(store, "m1", A1=150, B2=90)
    know(store, "m2", A1=150)
    store.keep(digest([arrived("m1", sale("m1", 1))]), START_NS)
    done = call(config, "prices", "set", "--all", "A1=1.60")
    assert done.stdout == "m1: price list version 1 wanted\nm2: price list version 1 wanted\n"
    shown = call(config, "prices", "show", "--machine", "m1").stdout
    line = next(line for line in shown.splitlines() if "A1" in line)
    assert [word for word in line.split("│") if "EUR" in word or "not" in word] == (
        [" 1.60 EUR ", " 1.50 EUR ", " 1.50 EUR ", " not applied yet "]
    )
    rows = json.loads(call(config, "prices", "show", "--json").stdout)
    assert [(r["machine"], r["slot"], r["wanted_minor"], r["agrees"]) for r in rows] == [
        ("m1", "A1", 160, False),
        ("m1", "B2", 90, True),
        ("m2", "A1", 160, False),
    ]


def test_machines_with_their_tenders(config: Path, store: Store) -> None:
    status = Status(
        online=True,
        since_ns=START_NS,
        epoch=EPOCH,
        software="0.1.0",
        tenders={
            "cash": Availability(available=True),
            "card": Availability(available=False, reason="no reader"),
        },
    )
    message = Arrived(
        topics.STATUS.of("m1"), status.model_dump_json().encode(), 1, False, START_NS + 60 * 10**9
    )
    store.keep(digest([message]), START_NS + 60 * 10**9)
    shown = call(config, "machines").stdout
    for words in ("m1", "online", "2026-09-21 14:13:20", "2026-09-21 14:14:20", "cash, no card (no reader)"):
        assert words in shown
    (row,) = json.loads(call(config, "machines", "--json").stdout)
    assert row["status"]["tenders"]["card"] == {"available": False, "reason": "no reader"}


def test_dead_letters(config: Path, store: Store) -> None:
    store.keep(digest([arrived("m1", sale("m1", 2, v=9), at_ns=START_NS)]), START_NS)
    shown = call(config, "dead-letters").stdout
    for words in ("2026-09-21 14:13:20", "vend/v1/m1/sale", "unsupported_version", "schema version 9"):
        assert words in shown
    (row,) = json.loads(call(config, "dead-letters", "--json").stdout)
    assert (row["epoch"], row["seq"], row["count"]) == (EPOCH, 2, 1)


@pytest.mark.parametrize(
    "words", [["machines"], ["prices", "show"], ["dead-letters"], ["history"], ["disagreements"]]
)
def test_nothing_known_is_an_empty_list(config: Path, store: Store, words: Sequence[str]) -> None:
    assert json.loads(call(config, *words, "--json").stdout) == []
