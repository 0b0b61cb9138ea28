"""A batch of messages, judged: what goes to the database, what to the dead letters, what is confirmed.

Pure: bytes in, values out. A bad record never takes the good ones beside it along, and whatever it was it is
accounted for: received = written + refused + undecodable.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from cloud.points import record_line, stock_lines
from cloud.ranges import ranges_of
from cloud.said import health_lines, status_line
from shared import codec, topics
from shared.commands import Reply
from shared.fields import explain
from shared.messages import Health, Receipt, Refusal, Reported, Status, Stock, check
from shared.records import Header, Record, RecordError, Sale, parse_record

PRICED: Final = ("cash", "card")  # tenders that a price list has prices for
UNSOLD: Final = ("free", "test")  # vends that are no sales
TOLD: Final = ("status", "reported", "stock", "health")  # retained topics of which the last word is kept
RECEIPT_ENTRIES: Final = 1_000  # as many as a Receipt may list


@dataclass(frozen=True, slots=True)
class Arrived:
    """One MQTT message as it came, and when (ns, UTC)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    arrived_ns: int
    dup: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One point to write, and the message and record it came from.

    `key` names the record: machine, epoch, seq; None for a snapshot, which nobody waits for. `at_ns`: the
    record's own, and whether its machine was sure of it.
    """

    text: str
    key: tuple[str, str, int] | None
    source: Arrived
    record: object = None
    at_ns: int = 0
    is_synced: bool = False

    @property
    def made_ns(self) -> int | None:
        """When the record was made, where its machine knew."""
        return self.at_ns if self.is_synced else None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be stored. `payload`: the record alone, or the message where no record was to be seen.

    The record alone, because a machine sends it again in other company and it is still the same letter.
    """

    topic: str
    payload: bytes
    code: str
    reason: str
    arrived_ns: int
    epoch: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Charged:
    """The price a customer was asked last at one slot, for one tender."""

    machine: str
    slot: str
    tender: str
    price_minor: int
    price_version: int
    at_ns: int


@dataclass(slots=True)
class Batch:
    lines: list[Line] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    refused: dict[tuple[str, str], dict[int, Refusal]] = field(default_factory=dict)
    stored: dict[tuple[str, str], dict[int, int]] = field(
        default_factory=dict
    )  # by `settle`: at_ns by number
    status: dict[str, Status] = field(default_factory=dict)
    reported: dict[str, Reported] = field(default_factory=dict)
    stock: dict[str, Stock] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    told_ns: dict[tuple[str, str], int] = field(default_factory=dict)  # when those came, by topic too
    charged: dict[tuple[str, str, str], Charged] = field(default_factory=dict)
    sold: dict[str, int] = field(default_factory=dict)  # the newest sale of a machine, by its own time
    replies: list[tuple[str, Reply]] = field(default_factory=list)
    heard: dict[str, int] = field(default_factory=dict)  # when a machine spoke; retained words are old


def digest(messages: Sequence[Arrived], revoked: Collection[str] = ()) -> Batch:
    """Judge every message of a batch, in order. `revoked`: machines from which nothing is taken."""
    batch = Batch()
    for message in messages:
        parsed = topics.parse(message.topic)
        if parsed is not None and parsed[0] in revoked:
            _bury(batch, message, "revoked", f"the certificates of {parsed[0]} are revoked")
            continue
        if parsed is not None and not message.retain:
            batch.heard[parsed[0]] = max(message.arrived_ns, batch.heard.get(parsed[0], 0))
        if parsed is None:
            _bury(batch, message, "unknown_topic", "no topic of ours")
        elif len(message.payload) > codec.MAX_MESSAGE_BYTES:
            _bury(batch, message, "too_large", f"{len(message.payload)} bytes")
        elif parsed[1].model is None:
            _records(batch, message, *parsed)
        elif message.payload:  # an empty retained message clears a topic: nothing to learn
            _message(batch, message, *parsed)
    return batch


def _records(batch: Batch, message: Arrived, machine: str, topic: topics.Topic) -> None:
    try:
        raw = codec.unpack(message.payload)
    except codec.CodecError as error:
        _bury(batch, message, error.code, str(error))
        return
    if not isinstance(raw, tuple):
        _bury(batch, message, "not_a_list", "a message here is an array of records")
        return
    for item in raw:
        try:
            record = _record(item, machine, topic)
        except RecordError as error:
            _bury(batch, message, error.code, str(error), item, error.header)
            if error.header is not None:
                # To the machine of the topic, whoever the record names: only the sender may be answered.
                _tell(batch, machine, error.header.epoch, error.header.seq, error.header.at_ns, error.code)
            continue
        header = record.header
        key = (machine, header.epoch, header.seq)
        is_synced = header.clock == "synced"
        batch.lines.append(Line(record_line(record), key, message, item, header.at_ns, is_synced))
        if isinstance(record.body, Sale):
            _charge(batch, header, record.body)
            if record.body.tenders[0].tender not in UNSOLD:
                batch.sold[machine] = max(header.at_ns, batch.sold.get(machine, 0))


def _record(item: object, machine: str, topic: topics.Topic) -> Record:
    record = parse_record(item)
    if record.header.machine != machine:
        why = f"record of {record.header.machine} on the topic of {machine}"
        raise RecordError("other_machine", why, record.header)
    if isinstance(record.body, Sale) != (topic is topics.SALE):
        raise RecordError("wrong_topic", f"{record.body.kind} on topic {topic.name}", record.header)
    return record


def _charge(batch: Batch, header: Header, sale: Sale) -> None:
    tender = sale.tenders[0].tender
    key = (header.machine, sale.slot, tender)
    known = batch.charged.get(key)
    if tender in PRICED and (known is None or known.at_ns < header.at_ns):
        batch.charged[key] = Charged(*key, sale.price_minor, sale.price_version, header.at_ns)


def _message(batch: Batch, message: Arrived, machine: str, topic: topics.Topic) -> None:
    assert topic.model is not None
    try:
        if topic.codec is topics.Codec.JSON:
            value = topic.model.model_validate_json(message.payload)
        else:
            value = topic.model.model_validate(codec.unpack(message.payload))
    except ValidationError as error:
        _bury(batch, message, "bad_json" if topic.codec is topics.Codec.JSON else "bad_body", explain(error))
        return
    except codec.CodecError as error:
        _bury(batch, message, error.code, str(error))
        return
    if topic.retained:
        batch.told_ns[topic.name, machine] = message.arrived_ns
    match value:
        case Reply():
            batch.replies.append((machine, value))
        case Status():
            batch.status[machine] = value
            batch.lines.append(Line(status_line(machine, value, message.arrived_ns), None, message))
        case Reported():
            batch.reported[machine] = value
        case Stock():
            batch.stock[machine] = value
            batch.lines += [Line(text, None, message) for text in stock_lines(machine, value)]
        case Health():
            batch.health[machine] = value
            batch.lines += [Line(text, None, message) for text in health_lines(machine, value)]
        case _:
            _bury(batch, message, "wrong_direction", "only the cloud speaks on this topic")


def _bury(
    batch: Batch,
    message: Arrived,
    code: str,
    reason: str,
    record: object = None,
    header: Header | None = None,
) -> None:
    payload = message.payload if record is None else codec.pack(record)
    epoch, seq = (header.epoch, header.seq) if header else (None, None)
    batch.dead.append(DeadLetter(message.topic, payload, code, reason, message.arrived_ns, epoch, seq))


def settle(batch: Batch, refused: Mapping[int, str]) -> list[tuple[str, Receipt]]:
    """Receipts by machine, once the database has the lines. `refused`: index in `lines` and the reason.

    Call it only after the write and after the dead letters are kept: a receipt ends the machine's debt.
    """
    for index, line in enumerate(batch.lines):
        if index in refused:
            _refuse(batch, line, "database_refused", refused[index])
        elif line.key is not None:
            machine, epoch, seq = line.key
            batch.stored.setdefault((machine, epoch), {})[seq] = line.at_ns
    receipts: list[tuple[str, Receipt]] = []
    for machine, epoch in sorted(batch.stored.keys() | batch.refused.keys()):
        times = batch.stored.get((machine, epoch), {})
        ranges = ranges_of(times)
        checks = tuple(check(times[seq] for seq in range(first, last + 1)) for first, last in ranges)
        refusals = tuple(
            refusal
            for seq, refusal in sorted(batch.refused.get((machine, epoch), {}).items())
            if seq not in times  # damaged on one way and whole on another: it is stored
        )
        for start in range(0, max(len(ranges), len(refusals)), RECEIPT_ENTRIES):
            part = slice(start, start + RECEIPT_ENTRIES)
            receipt = Receipt(epoch=epoch, stored=ranges[part], checks=checks[part], refused=refusals[part])
            receipts.append((machine, receipt))
    return receipts


def refuse(batch: Batch, lines: Sequence[Line], code: str, reason: str) -> None:
    """Take these out of what is written: dead letters, and their machines are told by number."""
    if lines:
        gone = {id(line) for line in lines}
        batch.lines = [line for line in batch.lines if id(line) not in gone]
    for line in lines:
        _refuse(batch, line, code, reason)


def _refuse(batch: Batch, line: Line, code: str, reason: str) -> None:
    source = line.source
    if line.key is None:
        batch.dead.append(DeadLetter(source.topic, source.payload, code, reason, source.arrived_ns))
        return
    machine, epoch, seq = line.key
    payload = codec.pack(line.record)
    batch.dead.append(DeadLetter(source.topic, payload, code, reason, source.arrived_ns, epoch, seq))
    _tell(batch, machine, epoch, seq, line.at_ns, code)


def _tell(batch: Batch, machine: str, epoch: str, seq: int, at_ns: int, code: str) -> None:
    batch.refused.setdefault((machine, epoch), {})[seq] = Refusal(seq=seq, reason=code, at_ns=at_ns)
