"""What happens at the bench, in words for somebody who runs vending machines."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from edge.mdb.bill.codes import Command as BillCommand
from edge.mdb.cashless.blocks import Command, Vend, command_of
from edge.mdb.cashless.codes import State as ReaderState
from edge.mdb.frame import Address, Block
from edge.sale.tenders import availability
from shared.records import Body
from tests.scenarios.bench import Bench
from tests.scenarios.parts import COINS_MINOR, NOTES_MINOR, SLOTS

READERS: dict[int, int] = {Address.CASHLESS_1: 1, Address.CASHLESS_2: 2}
PRICED = {Vend.REQUEST, Vend.CASH_SALE}

RECORDS = {
    "sale": "sale {slot} {product} {price_minor} {tender}",
    "vend_failed": "vend failed {slot} {product} {tender}: {reason}",
    "cash_in": "cash in {value_minor} {medium} to {route}",
    "payout": "{reason} {paid_minor} of {wanted_minor}",
    "refund": "refund {amount_minor} to the card",
    "revalue": "{amount_minor} put on the card",
    "owed": "owed {amount_minor}, {reason}: code {claim}",
    "claim_used": "code {claim} used for {amount_minor}",
    "claim_paid": "code {claim} paid by the operator: {amount_minor}",
    "coins_loaded": "{value_minor} loaded by hand",
    "coins_taken": "{value_minor} taken by hand",
    "tubes_corrected": "tubes corrected by {difference_minor}",
    "recycler_corrected": "recycler corrected by {difference_minor}",
    "visit": "technician's visit {event}",
    "door": "door {door}",
    "lockout": "lockout of {scope} {name} {event}: {reason}",
    "refill": "refill of {slot}: {before} and {added} are {after}",
    "stock_corrected": "stock of {slot} corrected from {before} to {after}",
    "collection": "collection, bag {bag}: cash box {cashbox_minor}, stacker {stacker_minor}",
    "fault": "fault {device} {code}",
    "fault_cleared": "fault over {device} {code}",
    "boot": "start",
    "applied": "price list {price_version} in force",
    "audit": "totals: {sales} sold for {sold_minor}, credit {credit_minor}",
}
ADDED: tuple[tuple[str, Callable[[dict[str, Any]], bool], str], ...] = (
    ("applied", lambda r: r["config_version"] is not None, ", with config {config_version}"),
    ("sale", lambda r: r["paid_minor"] != r["price_minor"], ", paid {paid_minor}"),
    ("sale", lambda r: r["outcome"] == "doubtful", ", doubtful"),
    ("sale", lambda r: r["link_down"], ", network down"),
    ("cash_in", lambda r: r["found"], ", found by a count"),
    ("payout", lambda r: r["paid_notes_minor"] > 0, ", {paid_notes_minor} in notes"),
    ("boot", lambda r: r["recovered"] != "nothing", ", unfinished: {recovered}"),
)


@cache  # asked for at each step of the clock
def money(amount_minor: int) -> str:
    return f"{amount_minor / 100:.2f}"


def record(body: Body) -> str:
    fields = body.model_dump()
    tender = fields["tenders"][0] if "tenders" in fields else {}
    told = {n: money(v) if n.endswith("_minor") else v for n, v in {**tender, **fields}.items()}
    told["door"] = "open" if fields.get("open") else "closed"
    line = RECORDS[body.kind] + "".join(
        text for kind, holds, text in ADDED if kind == body.kind and holds(fields)
    )
    return line.format_map(told)


def block(sent: Block) -> str:
    """What a card reader or the validator is told to do; empty for what is only housekeeping."""
    if sent.head == BillCommand.ESCROW:
        return "validator is told to " + ("stack the note" if sent.data[0] & 1 else "give the note back")
    reader = READERS.get(sent.address)
    if reader is None or command_of(sent) is not Command.VEND:
        return ""
    vend = Vend(sent.data[0])
    name = vend.name if vend in {Vend.SESSION_COMPLETE, Vend.CASH_SALE} else f"VEND_{vend.name}"
    price = f" {money(int.from_bytes(sent.data[1:3], 'big'))}" if vend in PRICED else ""
    return f"reader {reader} is told {name.replace('_', ' ')}{price}"


def moved(bench: Bench) -> Counter[str]:
    """Everything that really moved so far, each movement a line, by the simulators' own account."""
    seen: Counter[str] = Counter()
    coins, notes, board = bench.changer._counts, bench.validator, bench.board.truth()
    for coin, value in enumerate(COINS_MINOR):
        seen[f"comes out: {money(value)}"] = coins.paid[coin] + coins.returned[coin]
    for note, value in enumerate(NOTES_MINOR):
        seen[f"note {money(value)} comes back"] = notes._returned[note]
        seen[f"note {money(value)} is stacked"] = notes._stacked[note]
        seen[f"note {money(value)} goes to the recycler"] = notes._recycled[note]
        if notes._recycler:
            seen[f"note {money(value)} is paid out"] = notes._recycler.paid[note]
    for slot, (selection, product) in SLOTS.items():
        seen[f"motor {slot} runs"] = board.runs.get(selection, 0)
        seen[f"{product} drops"] = board.drops.get(selection, 0)
    for number, reader in bench.readers.items():
        books = reader._books
        seen.update(f"card charged {money(amount)} at reader {number}" for amount in books.charged)
        seen.update(f"card gets {money(amount)} back at reader {number}" for amount in books.refunded)
        seen.update(f"card charged up by {money(amount)} at reader {number}" for amount in books.revalued)
        seen[f"reader {number} books the sale by its reset"] = books.sold_by_reset
    return seen


def shown(bench: Bench) -> dict[str, str]:
    """What the machine announces and takes, and the cash of the customer in front of it."""
    takes = {"takes": ", ".join(_taken(bench)) or "nothing"}
    if not bench.alive:
        return takes
    tenders: dict[str, str] = {}
    for tender, how in availability(bench.core.state).items():
        if tender != "wallet":
            reason = f", {how.reason}" if how.reason else ""
            tenders[tender] = ("yes" if how.available else "no") + reason
    return {**tenders, "credit": money(bench.core.state.credit_minor), **takes}


def _taken(bench: Bench) -> list[str]:
    """By the devices' own settings: what a customer could put in."""
    if not bench.powered:
        return []
    out = bench.bus.unplugged
    takes = ["coins"] if bench.changer._enabled_mask and Address.CHANGER not in out else []
    mask = 0 if Address.VALIDATOR in out else bench.validator._enabled_mask
    notes = [f"{value // 100}" for note, value in enumerate(NOTES_MINOR) if mask >> note & 1]
    takes += ["notes " + " ".join(notes)] if notes else []
    for number, reader in bench.readers.items():
        if reader._state is ReaderState.ENABLED and reader._network_up:
            takes.append("cards" if len(bench.readers) == 1 else f"cards at reader {number}")
    return takes
