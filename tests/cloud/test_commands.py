"""Commands in the cloud: what is sent and when, which reply counts, and the command line."""

import asyncio
import json
import stat
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiomqtt import MqttError
from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.batch import Arrived, digest
from cloud.cli.commands import _WORDS
from cloud.commands import keys
from cloud.commands.sender import send_commands
from cloud.commands.table import AGAIN_NS, ASKED_FOR_NS, SKEW_NS, CommandTable
from cloud.database import StoreError, make
from cloud.mqtt import PublishRefusedError, Request
from cloud.store import Store
from edge.commands import Key, read
from edge.config import CommandKey
from shared import codec, topics
from shared import commands as wire
from shared.messages import Status
from tests.cloud.records import EPOCH, START_NS
from tests.signing import NAMES, NS

ID = "ab" * 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make(tmp_path / "store.db")
    return tmp_path / "store.db"


@pytest.fixture
def table(path: Path) -> Iterator[CommandTable]:
    with closing(CommandTable(path)) as opened:
        yield opened


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as opened:
        yield opened


def order(ident: str = ID, machine: str = "m1") -> wire.Order:
    header = wire.Header(machine=machine, id=ident, issued_ns=START_NS, expires_ns=START_NS + 60 * NS)
    return wire.Order(header, wire.FreeVend(slot="A1"))


def ask(table: CommandTable, ident: str = ID, machine: str = "m1") -> bytes:
    """The envelope; nobody here looks at its signature."""
    envelope = wire.seal(order(ident, machine), "desk", lambda _: bytes(64))
    table.add(order(ident, machine), envelope, key="desk", role="operator", who="anna")
    return envelope


def due(table: CommandTable, after_s: float, *, everything: bool = False) -> list[str]:
    return [row.id for row in table.due(START_NS + round(after_s * NS), everything=everything)]


def speak(store: Store, machine: str, after_s: float) -> None:
    """Something came from this machine."""
    status = Status(online=True, since_ns=START_NS, epoch=EPOCH, software="0.1.0", tenders={})
    at_ns = START_NS + round(after_s * NS)
    message = Arrived(topics.STATUS.of(machine), status.model_dump_json().encode(), 1, False, at_ns)
    store.keep(digest([message]), at_ns)


def reply(
    envelope: bytes, *, ident: str = ID, machine: str = "m1", outcome: wire.Outcome = "done"
) -> Arrived:
    value = wire.Reply(
        id=ident,
        digest=wire.digest(envelope),
        outcome=outcome,
        code="delivered",
        text="A1 cola delivered",
        at_ns=START_NS,
        result={"records": 3},
    )
    return Arrived(topics.REPLY.of(machine), codec.pack(value.model_dump()), 1, False, START_NS)


# --- when it is sent ----------------------------------------------------------------------------------------


def test_it_is_sent_once_and_again_after_the_machine_was_heard(table: CommandTable, store: Store) -> None:
    ask(table)
    assert due(table, 0) == [ID]
    table.sent(ID, START_NS + NS)
    assert due(table, 30) == [], "a silent machine is not asked again"
    assert due(table, 30, everything=True) == [ID], "a new connection asks for all"
    speak(store, "m2", 2)
    assert due(table, 30) == []
    speak(store, "m1", 2)
    assert due(table, 1 + AGAIN_NS / NS) == [], "its answer may be under way"
    assert due(table, 1.1 + AGAIN_NS / NS) == [ID]


def test_pauses_grow(table: CommandTable, store: Store) -> None:
    ask(table)
    table.sent(ID, START_NS + 20 * NS)
    speak(store, "m1", 21)
    assert due(table, 39) == []
    assert due(table, 41) == [ID]


def test_after_its_deadline_only_what_was_sent_is_asked_for(table: CommandTable) -> None:
    ask(table)
    assert due(table, 60, everything=True) == [], "never sent, it never will be"
    table.sent(ID, START_NS)
    assert due(table, 61, everything=True) == [], "a machine whose clock is behind could still obey"
    assert due(table, 60 + SKEW_NS / NS, everything=True) == [ID]
    assert due(table, 61 + ASKED_FOR_NS / NS, everything=True) == []


@pytest.mark.parametrize("outcome", ["done", "refused", "failed", "expired"])
def test_an_answer_ends_it_and_a_later_one_changes_nothing(
    table: CommandTable, store: Store, outcome: wire.Outcome
) -> None:
    envelope = ask(table)
    store.keep(digest([reply(envelope, outcome=outcome)]), START_NS + NS)
    store.keep(digest([reply(envelope, outcome="done")]), START_NS + 2 * NS)
    row = table.find(ID, START_NS)
    assert (row["state"], row["result"], row["replied_ns"]) == (outcome, {"records": 3}, START_NS + NS)
    assert due(table, 0, everything=True) == []
    assert table.strays() == {}


def test_replies_to_nothing_that_was_asked_are_counted_and_change_nothing(
    table: CommandTable, store: Store
) -> None:
    envelope = ask(table)
    forged = envelope[:-1] + b"x"
    strays = [reply(envelope, ident="cd" * 16), reply(envelope, machine="m2"), reply(forged)]
    store.keep(digest(strays), START_NS)
    assert table.strays() == {"m1": 2, "m2": 1}
    assert table.find(ID, START_NS)["state"] == "waiting"


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\xc1", "malformed"), (codec.pack({"v": 1}), "bad_body"), (codec.pack([]), "bad_body")],
)
def test_an_unreadable_reply_is_a_dead_letter(payload: bytes, code: str) -> None:
    batch = digest([Arrived(topics.REPLY.of("m1"), payload, 1, False, START_NS)])
    assert [letter.code for letter in batch.dead] == [code]


class Broker:
    """Takes what is published, as it is told to."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = [*answers]
        self.published: list[tuple[str, bytes, Request]] = []

    async def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str, request: Request
    ) -> None:
        assert (qos, retain, content_type) == (1, False, "application/msgpack")
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        self.published.append((topic, payload, request))


@pytest.mark.parametrize(("after_s", "expiry_s"), [(0.5, 60), (59.5, 1), (120, 60)])
def test_a_message_names_the_machines_own_reply_topic_and_expires_with_its_command(
    table: CommandTable, after_s: float, expiry_s: int
) -> None:
    envelope = ask(table)
    ask(table, "ef" * 16, "m2")
    now_ns = START_NS + round(after_s * NS)
    ask(table, "01" * 16, "m3")
    for ident in (ID, "ef" * 16, "01" * 16):
        table.sent(ident, START_NS)
    broker = Broker(PublishRefusedError("no"), None, MqttError("lost"))
    with pytest.raises(MqttError):
        asyncio.run(send_commands(broker, table, lambda: now_ns))
    assert broker.published[0][0] == "vend/v1/m2/command"
    request = broker.published[0][2]
    assert (request.response_topic, request.expiry_s) == ("vend/v1/m2/reply", expiry_s)
    assert request.correlation == b"\xef" * 16
    assert broker.published[0][1] != envelope
    assert table.find(ID, now_ns)["sent_ns"] == START_NS, "it was refused, and is tried again"


# --- keys ---------------------------------------------------------------------------------------------------


def test_a_key_is_the_owners_alone_and_its_lines_are_settings(tmp_path: Path) -> None:
    lines = keys.make(tmp_path / "keys", "desk", "technician")
    row = CommandKey.model_validate(tomllib.loads(lines)["commands"]["keys"][0])
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == {0o600}
    signing = keys.load(tmp_path / "keys", None)
    assert (signing.name, signing.role) == ("desk", "technician")
    sealed = wire.seal(order(), "desk", signing.private.sign)
    public = signing.private.public_key()
    assert public.public_bytes_raw().hex() == row.public_key
    assert read(sealed, "m1", {"desk": Key("technician", public)}).action == order().action


def test_keys_that_cannot_be_used_are_told_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with pytest.raises(StoreError, match="command-key new"):
        keys.load(folder, None)
    keys.make(folder, "desk", "operator")
    before = (folder / "desk.pem").read_bytes()
    with pytest.raises(StoreError, match="choose another name"):
        keys.make(folder, "desk", "operator")
    assert (folder / "desk.pem").read_bytes() == before
    with pytest.raises(StoreError, match="a-z, 0-9 and hyphen"):
        keys.make(folder, "../desk", "operator")
    keys.make(folder, "van", "technician")
    with pytest.raises(StoreError, match="--key: desk, van"):
        keys.load(folder, None)
    with pytest.raises(StoreError, match="no key bus"):
        keys.load(folder, "bus")
    (folder / "van.pem").chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        keys.load(folder, "van")
    (folder / "desk.pem").write_text("x")
    with pytest.raises(StoreError, match="cannot be used"):
        keys.load(folder, "desk")


# --- the command line ---------------------------------------------------------------------------------------


@pytest.fixture
def config(path: Path, store: Store) -> Path:
    """A fleet of m1, and a key."""
    speak(store, "m1", 0)
    keys.make(path.parent / "keys", "desk", "operator")
    config = path.parent / "cloud.toml"
    config.write_text(f'data_dir = "{path.parent}"\n')
    return config


def call(config: Path, words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["--config", str(config), *words.split()])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("command m9 restart", 1, "never spoke"),
        ("command m1 fly", 2, "'fly' is not one of"),
        ("command m1 restart now", 2, "command MACHINE restart"),
        ("command m1 free-vend", 2, "free-vend SLOT"),
        ("command m1 stock A1", 2, "SLOT=COUNT"),
        ("command m1 stock A1=1 A1=2", 2, "each slot once"),
        ("command m1 resend 5", 2, "FROM..TO"),
        ("command m1 resend 0..5", 2, "first"),
        ("command m1 credit 12", 2, "claim"),
        ("command m1 unlock --reason x", 2, "belongs to lock"),
        ("command m1 restart --deadline 0", 2, "deadline"),
        ("command m1 restart --key van", 1, "no key van"),
        ("command-key new desk --role operator", 1, "another name"),
        ("command-key new van", 2, "--role"),
    ],
)
def test_a_mistake_is_told_in_words_and_sends_nothing(
    config: Path, table: CommandTable, words: str, code: int, says: str
) -> None:
    done = call(config, words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert due(table, 0, everything=True) == []


EXAMPLES = {
    "support": "",
    "restart": "",
    "test-motor": "A1",
    "lock": "A1 --reason leaks",
    "unlock": "",
    "stock": "A1=7 B2=0",
    "resend": "1..3",
    "free-vend": "A1",
    "credit": "0001-123456",
    "pay-claim": "0001-123456",
}


def test_every_command_can_be_given_and_is_signed(config: Path, table: CommandTable) -> None:
    assert EXAMPLES.keys() == _WORDS.keys() == set(NAMES)
    key = keys.load(config.parent / "keys", None)
    for name, words in EXAMPLES.items():
        done = call(config, f"command m1 {name} {words} --no-wait --json")
        assert done.exit_code == 0, done.stderr
        row = json.loads(done.stdout)
        assert (row["state"], row["name"], row["key"], row["role"]) == ("waiting", name, "desk", "operator")
        assert row["expires_ns"] - row["issued_ns"] == 60 * NS
    envelopes = [row.envelope for row in table.due(0, everything=False)]
    public = {"desk": Key("operator", key.private.public_key())}
    actions = [read(envelope, "m1", public).action for envelope in envelopes]
    assert [action.name for action in actions if action] == list(EXAMPLES)
    assert actions[6] == wire.Resend(epoch=EPOCH, first=1, last=3)
    assert actions[3] == wire.Lock(slot="A1", reason="leaks")
    shown = call(config, "commands --machine m1").stdout
    assert "lock slot=A1 reason=leaks" in shown
    assert len(json.loads(call(config, "commands --json").stdout)) == len(EXAMPLES)
    assert json.loads(call(config, "commands --machine m2 --json").stdout) == []


def test_it_waits_for_the_answer(config: Path, table: CommandTable, store: Store, path: Path) -> None:
    def machine() -> None:
        with closing(CommandTable(path)) as seen, closing(Store(path)) as heard:
            while not (rows := seen.due(0, everything=False)):
                pass
            heard.keep(digest([reply(rows[0].envelope, ident=rows[0].id)]), START_NS)

    far = threading.Thread(target=machine)
    far.start()
    done = call(config, "command m1 free-vend A1")
    far.join()
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "m1: free-vend: done: A1 cola delivered"


def test_nobody_sends_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.cli.commands.PATIENCE_NS", 0.0)
    done = call(config, "command m1 free-vend A1 --deadline 1")
    assert done.exit_code == 1
    assert "is `vend-cloud run` connected to the broker?" in done.stdout
