"""A bug report as a capture: what a machine said in the last minutes, and what it takes to judge it again.

The header has versions, the settings that matter, which numbers were stored and which letters kept before the
first message, and how it is now. Then come the last words of before, what was wanted of the machine, and
every message as it came, secrets taken out. An ingest is made of such a file by cloud/replay.py.

Reads only, beside a program that runs. An archive that other computers keep is not looked at. Raises
StoreError for a machine that never spoke here, and OSError.
"""

import base64
import json
import platform
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final

from cloud.batch import TOLD, Arrived, digest
from cloud.books import Books
from cloud.config import CloudSettings
from cloud.database import StoreError, connect
from cloud.identity.register import Register
from cloud.ranges import Range, gaps, merged, ranges_of
from cloud.rebuild import captures
from cloud.store import digest_of
from shared import codec, redaction, topics
from shared.capture import Header, Message
from shared.messages import NUMBER_TAKEN
from shared.renaming import machine_of

SOURCE: Final = "vend-cloud support"
MOST_LETTERS: Final = 200
_BY_NAME: Final = {topic.name: topic for topic in topics.TOPICS}

Stored = dict[str, list[Range]]  # by epoch


@dataclass(slots=True)
class _Heard:
    """Of the archive: the messages of the time, and the last words of before."""

    messages: list[Message] = field(default_factory=list)
    before: dict[str, Message] = field(default_factory=dict)
    damaged: int = 0


def collected(
    settings: CloudSettings, machine: str, since_ns: int, now_ns: int, tell: Callable[[int], None]
) -> tuple[Header, list[Message]]:
    """`tell`: how many more bytes of the archive were read (`size_bytes`)."""
    heard = _heard(settings, machine, since_ns, tell)
    path = settings.data_dir / "store.db"
    with closing(connect(path)) as db, closing(Books(path)) as books, closing(Register(path)) as register:
        row = db.execute("SELECT * FROM machine WHERE machine = ?", (machine,)).fetchone()
        if row is None:
            raise StoreError(f"{machine} never spoke here; is the name right?")
        is_revoked = machine in register.denied()
        stored = _stored(db, machine)
        letters = _letters(db, machine)
        first = [_word(row, topic, heard.before, since_ns) for topic in map(_BY_NAME.get, TOLD) if topic]
        mark = books.watermark(machine).model_dump_json().encode()
        messages = [
            *(message for message in first if message),
            *sorted([*_wanted(db, machine, since_ns), *heard.messages], key=lambda m: m.at_ns),
            _retained(topics.WATERMARK, machine, mark, now_ns),
        ]
    about = {
        "machine": machine,
        "versions": {"vendlink": version("vendlink"), "python": platform.python_version()},
        "redacted": list(redaction.RULES),
        "settings": {
            "mqtt": {"protocol": settings.mqtt.protocol},
            "reports": settings.reports.model_dump(mode="json"),
        },
        "damaged_lines": heard.damaged,
        "revoked": is_revoked,
        "before": _before(heard.messages, stored, letters, since_ns, {machine} if is_revoked else set()),
        "now": {"stored": stored, "letters": Counter(letter["code"] for letter in letters)},
    }
    started = Header(since_ns, SOURCE, json.loads(redaction.redacted_text(json.dumps(about))))
    return started, [redaction.redacted(replace(m, t_ns=max(0, m.at_ns - since_ns))) for m in messages]


def size_bytes(settings: CloudSettings, since_ns: int) -> int:
    return sum(source.size for source in _sources(settings, since_ns))


def _sources(settings: CloudSettings, since_ns: int) -> list[captures.Source]:
    """The files that were written to since."""
    found = captures.found([settings.data_dir / "archive"])
    return [source for source in found if source.path.stat().st_mtime_ns >= since_ns]


def _heard(settings: CloudSettings, machine: str, since_ns: int, tell: Callable[[int], None]) -> _Heard:
    heard = _Heard()
    ends: dict[Any, int] = {}
    for piece in captures.merged(_sources(settings, since_ns)):
        tell(piece.end - ends.get(piece.path, 0))
        ends[piece.path] = piece.end
        heard.damaged += bool(piece.damage)
        message = piece.message
        if message is None or machine_of(message.topic) != machine:
            continue
        parsed = topics.parse(message.topic)
        if message.at_ns >= since_ns:
            heard.messages.append(message)
        elif parsed is not None and parsed[1].retained:
            heard.before[parsed[1].name] = message
    return heard


# ---- what the store knows ----------------------------------------------------------------------------------


def _word(row: sqlite3.Row, topic: topics.Topic, before: dict[str, Message], since_ns: int) -> Message | None:
    """The last word on a topic before the first message, as far as anybody still has it."""
    if topic.name in before:
        return replace(before[topic.name], retain=True)
    said, at_ns = row[topic.name], row[f"{topic.name}_ns"]
    if said is None or at_ns >= since_ns:
        return None
    return replace(_retained(topic, row["machine"], said.encode(), at_ns), dir="in")


def _wanted(db: sqlite3.Connection, machine: str, since_ns: int) -> Iterable[Message]:
    rows = db.execute("SELECT topic, payload, changed_at_ns FROM wanted WHERE machine = ?", (machine,))
    for name, payload, changed_ns in rows.fetchall():
        yield _retained(_BY_NAME[name], machine, payload.encode(), max(since_ns, changed_ns))


def _retained(topic: topics.Topic, machine: str, payload: bytes, at_ns: int) -> Message:
    properties = {"ContentType": topic.codec.value}
    return Message(0, at_ns, "out", topic.of(machine), topic.qos, topic.retained, payload, properties)


def _stored(db: sqlite3.Connection, machine: str) -> Stored:
    stored: Stored = defaultdict(list)
    rows = db.execute(
        "SELECT epoch, first, last FROM stored_range WHERE machine = ? ORDER BY epoch, first", (machine,)
    )
    for epoch, first, last in rows:
        stored[epoch].append((first, last))
    return stored


def _letters(db: sqlite3.Connection, machine: str) -> list[dict[str, Any]]:
    """Of this machine, the newest first."""
    rows = db.execute(
        "SELECT * FROM dead_letter WHERE topic LIKE ? ORDER BY last_at_ns DESC LIMIT ?",
        (topics.SALE.of(machine).removesuffix(topics.SALE.name) + "%", MOST_LETTERS),
    )
    return [dict(row) for row in rows]


# ---- how it was before -------------------------------------------------------------------------------------


def _before(
    messages: Sequence[Message],
    stored: Stored,
    letters: Sequence[dict[str, Any]],
    since_ns: int,
    revoked: set[str],
) -> dict[str, Any]:
    """Numbers that were stored, without those of these messages, which are stored again by judging them.

    `times`: of a number that two records claim, when both may be in the messages: the record that has it.
    """
    twins = {
        (letter["epoch"], letter["seq"], at_ns)
        for letter in letters
        if letter["code"] == NUMBER_TAKEN
        for at_ns in _times([letter["payload"]]).get((letter["epoch"], letter["seq"]), ())
    }
    claimed = {(epoch, seq) for epoch, seq, _ in twins}
    come: dict[str, set[int]] = defaultdict(set)
    times = []
    for (epoch, seq), several in _times(m.payload for m in messages if _has_records(m)).items():
        if (epoch, seq) not in claimed:
            come[epoch].add(seq)
        else:
            times += [[epoch, seq, at_ns] for at_ns in several if (epoch, seq, at_ns) not in twins]
    left = {epoch: _without(ranges, come[epoch]) for epoch, ranges in stored.items()}
    arrived = [Arrived(m.topic, m.payload, m.qos, m.retain, m.at_ns, m.dup) for m in messages]
    again = Counter(digest_of(letter) for letter in digest(arrived, revoked).dead)
    return {
        "stored": {epoch: ranges for epoch, ranges in left.items() if ranges},
        "times": times,
        "letters": [
            {**_plain(letter), "count": letter["count"] - again[letter["digest"]]}
            for letter in letters
            if letter["first_at_ns"] < since_ns
        ],
    }


def _without(ranges: Sequence[Range], numbers: set[int]) -> list[Range]:
    taken = ranges_of(numbers)
    return merged(gap for first, last in ranges for gap in gaps(taken, first, last))


def _has_records(message: Message) -> bool:
    parsed = topics.parse(message.topic)
    return parsed is not None and parsed[1].model is None


def _times(payloads: Iterable[bytes]) -> dict[tuple[str, int], set[int]]:
    """When the records of each number were made, as far as they can be read."""
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for payload in payloads:
        try:
            value = codec.unpack(payload)
        except codec.CodecError:
            continue
        for record in value if isinstance(value, tuple) else (value,):
            if isinstance(record, dict) and isinstance(record.get("at_ns"), int):
                found[str(record.get("epoch")), record.get("seq", 0)].add(record["at_ns"])
    return found


def _plain(letter: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it, without its secrets."""
    message = Message(0, 0, "in", letter["topic"], 1, retain=False, payload=letter["payload"])
    payload = redaction.redacted(message).payload
    return {
        **letter,
        "digest": letter["digest"].hex(),
        "payload": base64.b64encode(payload).decode("ascii"),
    }
