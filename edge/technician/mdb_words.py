"""MDB blocks and replies in words, for a technician's eyes: the protocol's own tables, printed. Pure."""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

from edge.mdb.bill import codes as bill_codes
from edge.mdb.bill import recycler_codes
from edge.mdb.cashless import blocks as cashless_blocks
from edge.mdb.cashless import codes as cashless_codes
from edge.mdb.coin import codes as coin_codes
from edge.mdb.coin import expansion as coin_expansion
from edge.mdb.frame import COMMAND_BITS, Ack, Address, Block, Data, Reply, Silence
from edge.technician.words import spoken

DEVICES: Final[dict[int, str]] = {
    Address.CHANGER: "changer",
    Address.VALIDATOR: "validator",
    Address.CASHLESS_1: "reader 1",
    Address.CASHLESS_2: "reader 2",
}
_READERS: Final = (Address.CASHLESS_1, Address.CASHLESS_2)
_SUBS: Final[dict[int, type[IntEnum]]] = {
    coin_codes.Command.EXPANSION: coin_expansion.Sub,
    bill_codes.Command.EXPANSION: recycler_codes.Expansion,
}
_READER_SUBS: Final[dict[int, type[IntEnum]]] = {
    cashless_blocks.Command.VEND: cashless_blocks.Vend,
    cashless_blocks.Command.READER: cashless_blocks.Reader,
    cashless_blocks.Command.EXPANSION: cashless_blocks.Expansion,
}


def block_words(block: Block) -> str:
    """Who is asked what: `changer: dispense 23`."""
    device = DEVICES.get(block.address)
    if device is None:
        return (
            f"address {block.address:02X}: command {block.head & COMMAND_BITS} {block.data.hex(' ')}".rstrip()
        )
    names: list[str] = []
    data = block.data
    if block.address in _READERS:
        names.append(_name(cashless_blocks.Command, block.head & COMMAND_BITS))
        subs = _READER_SUBS.get(block.head & COMMAND_BITS)
    else:
        table = coin_codes.Command if block.address == Address.CHANGER else bill_codes.Command
        names.append(_name(table, block.head))
        subs = _SUBS.get(block.head)
    if subs is not None and data:
        names.append(_name(subs, data[0]))
        data = data[1:]
    return f"{device}: {' '.join(names)} {data.hex(' ').upper()}".rstrip()


def reply_words(block: Block, reply: Reply) -> str:
    """What the answer to this block says; bytes nobody knows stay bytes."""
    match reply:
        case Ack():
            return "acknowledged, nothing to report"
        case Silence():
            return "no answer"
        case Data(data):
            read = _READS.get(block.head)
            if block.address in _READERS:
                read = _messages
            elif block.head in _SUBS:
                read = _EXPANDED.get((block.head, block.data[0] if block.data else -1))
            return (read(data) if read else "") or f"{len(data)} bytes"


def _name(table: type[IntEnum], code: int) -> str:
    return spoken(table(code).name.lower()) if code in set(table) else f"command {code:02X}"


def counts_words(counts: Sequence[int]) -> str:
    """`type 0: 12, type 3: 9`, types that have none left out."""
    return ", ".join(f"type {kind}: {count}" for kind, count in enumerate(counts) if count) or "none"


def _types(mask: int) -> str:
    return " ".join(str(kind) for kind in range(16) if mask >> kind & 1) or "none"


def _values(credits_: Sequence[int]) -> str:
    return " ".join(map(str, credits_)).removesuffix(" 0" * (len(credits_) - _used(credits_)))


def _used(credits_: Sequence[int]) -> int:
    return max((kind + 1 for kind, value in enumerate(credits_) if value), default=0)


# --- the changer ------------------------------------------------------------------------------------------


def _changer_setup(data: bytes) -> str:
    setup = coin_codes.parse_setup(data)
    if setup is None:
        return ""
    return (
        f"level {data[0]}, scale {setup.scale}, {setup.decimals} decimals, "
        f"tubes for types {_types(setup.tube_mask)}, values {_values(setup.credits)}"
    )


def _tubes(data: bytes) -> str:
    tubes = coin_codes.parse_tubes(data)
    if tubes is None:
        return ""
    full = f"; full: {_types(tubes.full_mask)}" if tubes.full_mask else ""
    return f"coins in tubes: {counts_words(tubes.counts)}{full}"


def _coin(activity: coin_codes.Activity) -> str:
    match activity:
        case coin_codes.Deposited(coin, coin_codes.REJECTED, _):
            return f"coin type {coin} given back"
        case coin_codes.Deposited(coin, routing, in_tube):
            route = coin_codes.CREDIT_ROUTES.get(routing)
            return f"coin type {coin} to the {route.value if route else 'unknown'} ({in_tube} in its tube)"
        case coin_codes.Dispensed(coin, count, in_tube):
            return f"{count} of coin type {coin} paid out by hand ({in_tube} left)"
        case coin_codes.Slugs(count):
            return f"{count} slugs"
        case coin_codes.Status(name=name):
            return spoken(name)
        case coin_codes.Unknown(code):
            return f"unknown {code:02X}"


def _changer_poll(data: bytes) -> str:
    return ", ".join(map(_coin, coin_codes.parse_activity(data)))


def _changer_id(data: bytes) -> str:
    found = coin_expansion.parse_identification(data)
    if found is None:
        return ""
    features = [spoken(feature.name or "").lower() for feature in found.features]
    return (
        f"{found.manufacturer} {found.model}, serial {found.serial}, software {found.software}"
        f"; {', '.join(features) or 'no features'}"
    )


# --- the validator ----------------------------------------------------------------------------------------


def _validator_setup(data: bytes) -> str:
    setup = bill_codes.parse_setup(data)
    if setup is None:
        return ""
    escrow = "with escrow" if setup.escrow else "without escrow"
    return (
        f"level {setup.level}, scale {setup.scale}, {setup.decimals} decimals, {escrow}, "
        f"values {_values(setup.credits)}"
    )


def _stacker(data: bytes) -> str:
    stacker = bill_codes.parse_stacker(data)
    if stacker is None:
        return ""
    return f"{stacker.bills} notes in the stacker{', which is full' if stacker.full else ''}"


def _bill(activity: bill_codes.Activity) -> str:
    match activity:
        case bill_codes.Moved(bill, routing):
            return f"note type {bill} {spoken(routing.name.lower())}"
        case bill_codes.Attempts(count):
            return f"{count} notes put in while disabled"
        case bill_codes.Status(name=name):
            return spoken(name)
        case bill_codes.Unknown(code):
            return f"unknown {code:02X}"


def _validator_poll(data: bytes) -> str:
    return ", ".join(map(_bill, bill_codes.parse_activity(data)))


def _validator_id(data: bytes) -> str:
    found = recycler_codes.parse_identity(data)
    if found is None:
        return ""
    recycler = ", can recycle" if found.options & recycler_codes.RECYCLING else ""
    return f"{found.manufacturer} {found.model}, serial {found.serial}, software {found.software}{recycler}"


def _recycler(data: bytes) -> str:
    counts = recycler_codes.parse_dispense_status(data)
    return "" if counts is None else f"notes in the recycler: {counts_words(counts)}"


# --- a reader ---------------------------------------------------------------------------------------------


def _messages(data: bytes) -> str:
    found = cashless_codes.parse_messages(data, cashless_codes.Layout.LEVEL_3)
    return ", ".join(map(_message, found))


def _message(message: cashless_codes.Message) -> str:
    """Without what a card is: its number is nobody's business."""
    if message.code is None:
        return f"{len(message.body)} bytes that are no message"
    name = spoken(message.code.name.lower())
    match message.code:
        case cashless_codes.Code.READER_CONFIG:
            config = cashless_codes.parse_config(message.body)
            return (
                f"{name}: level {config.level}, currency {config.currency.hex()}, scale {config.scale}, "
                f"{config.decimals} decimals, answers within {config.response_s} s"
            )
        case cashless_codes.Code.MALFUNCTION:
            return f"{name}: {spoken(cashless_codes.malfunction(message.body).code)}"
        case cashless_codes.Code.VEND_APPROVED | cashless_codes.Code.REVALUE_LIMIT:
            return f"{name}: {cashless_codes.parse_amount(message.body)}"
        case cashless_codes.Code.PERIPHERAL_ID:
            text = message.body[:27].decode("ascii", errors="replace")
            return f"{name}: {text[:3]} {text[15:27].strip()}, serial {text[3:15]}"
        case _:
            return name


_Read = Callable[[bytes], str]
_READS: Final[dict[int, _Read]] = {
    coin_codes.Command.SETUP: _changer_setup,
    coin_codes.Command.TUBE_STATUS: _tubes,
    coin_codes.Command.POLL: _changer_poll,
    bill_codes.Command.SETUP: _validator_setup,
    bill_codes.Command.POLL: _validator_poll,
    bill_codes.Command.STACKER: _stacker,
}
_EXPANDED: Final[dict[tuple[int, int], _Read]] = {
    (coin_codes.Command.EXPANSION, coin_expansion.Sub.IDENTIFICATION): _changer_id,
    (bill_codes.Command.EXPANSION, recycler_codes.Expansion.IDENTITY): _validator_id,
    (bill_codes.Command.EXPANSION, recycler_codes.Expansion.IDENTITY_WITH_OPTIONS): _validator_id,
    (bill_codes.Command.EXPANSION, recycler_codes.Expansion.DISPENSE_STATUS): _recycler,
}
