"""What the machine says of itself when it is asked from afar: a small map of plain values."""

from collections.abc import Callable

from edge.sale.state import State
from edge.sale.step import Machine
from edge.sale.tenders import availability
from edge.store.journal import Journal
from shared.messages import Availability

Recording = Callable[[float], tuple[str, ...]]  # the last words on the bus, at this monotonic time
MAX_SLOTS = 40  # that are closed; of the others only the number is told


def nothing_recorded(_now_s: float) -> tuple[str, ...]:
    return ()


def picture(machine: Machine, state: State, journal: Journal) -> dict[str, str | int]:
    """`device.*`: what is wrong with each, empty where nothing is. `closed.*`: slots that are not sold."""
    counts = journal.counts
    oldest = next((seq for seq, _, _ in journal.records()), 1)
    devices = {
        "changer": state.changer,
        "validator": state.validator,
        "board": state.board,
        **{f"reader_{number}": reader.reason for number, reader in state.readers.items()},
    }
    closed = dict(sorted(state.closed.items())[:MAX_SLOTS])
    return {
        "software": machine.software,
        "epoch": journal.epoch,
        "phase": state.phase.value,
        "message": state.message[:256],
        "credit_minor": state.credit_minor,
        "price_version": state.prices.version,
        "kept_from": max(1, oldest - journal.epochs.after),
        "last_seq": journal.last_seq,
        "owed": counts.owed,
        "stored": counts.stored,
        "parked": counts.parked,
        "visit": int(state.service),
        "locked": state.cabinet.locked,
        "slots_closed": len(state.closed),
        **{f"device.{name}": reason for name, reason in devices.items()},
        **{f"tender.{tender}": _words(able) for tender, able in availability(state).items()},
        **{f"closed.{slot}": words for slot, words in closed.items()},
    }


def _words(able: Availability) -> str:
    word = "yes" if able.available else "no"
    return f"{word}: {able.reason}" if able.reason else word
