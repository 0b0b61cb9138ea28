"""One machine's health, made from its state and from what its devices told. Pure; times are arguments.

Money is the sale's own count of it, the one that a collection is checked with. What the machine does not
have, or does not know, is None.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from edge.health.link import LinkTimes
from edge.health.seen import Fault, Seen
from edge.sale.accept import exact_change_only
from edge.sale.card import fault_code
from edge.sale.collection import cash_float
from edge.sale.state import NOT_FITTED, STARTING, State
from edge.sale.step import Machine
from shared.messages import Health, Link, OpenFault

MAX_FAULTS: Final = 256
_WELL: Final = {"", STARTING, NOT_FITTED}


def report(
    machine: Machine,
    state: State,
    seen: Seen,
    link: LinkTimes,
    faults: Mapping[Fault, float],
    disk_free_mb: int | None,
    wall_ns: int,
    now_s: float,
    *,
    synced: bool,
) -> Health:
    """`faults`: those that are open, with the time since when. `synced`: the wall clock can be trusted."""
    ahead_ns = wall_ns - round(now_s * 10**9)
    tubes_minor, recycler_minor = cash_float(state)
    changer, validator = bool(state.values_minor), machine.validator and bool(state.note_values_minor)
    return Health(
        at_ns=wall_ns,
        temperatures=seen.temperatures(now_s),
        lockouts=lockouts(state),
        door_open=seen.door,
        tubes=tuple(seen.tubes.levels(state)),
        change_low=None if state.changer else exact_change_only(state, machine.policy),
        cashbox_minor=_known(state.cashbox_minor, there=changer),
        stacker_minor=_known(state.stacker_minor, there=validator),
        stacker_notes=_known(state.stacker_bills, there=validator),
        recycler_minor=_known(recycler_minor, there=seen.recycler),
        tubes_minor=_known(tubes_minor, there=changer),
        clock=_clock(state, synced=synced),
        clock_offset_ms=_offset_ms(state, ahead_ns),
        link=_link(link, ahead_ns, now_s),
        faults=tuple(
            OpenFault(device=device, code=code, since_ns=_wall_ns(since_s, ahead_ns))
            for (device, code), since_s in list(faults.items())[:MAX_FAULTS]
        ),
        locked_slots=tuple(state.closed),
        disk_free_mb=disk_free_mb,
    )


def starting(state: State) -> bool:
    """A device that is fitted has not told yet whether it is there."""
    reasons = (state.changer, state.validator, state.board, *(r.reason for r in state.readers.values()))
    return STARTING in reasons


def lockouts(state: State) -> tuple[str, ...]:
    """`all` where the operator locked the machine, and the groups that were too warm for too long."""
    groups = (name for name, climate in state.cabinet.climate.items() if climate.lockout)
    return (*(("all",) if state.cabinet.locked else ()), *groups)


def alarms(state: State) -> tuple[tuple[str, str], ...]:
    """Groups that are too warm or too cold now, by what their lockouts go by."""
    return tuple(
        (name, climate.trouble) for name, climate in state.cabinet.climate.items() if climate.trouble
    )


def open_faults(state: State, seen: Seen) -> Iterator[Fault]:
    """Trouble that lasts, by the names that its records have."""
    for device, reason in (
        ("changer", state.changer),
        ("validator", state.validator),
        ("board", state.board),
    ):
        if reason not in _WELL:
            yield device, "offline"
    for number, reader in state.readers.items():
        if reader.reason not in _WELL:
            yield f"reader_{number}", fault_code(reader.reason)
    if state.stacker_full:
        yield "validator", "stacker_full"
    yield from seen.faults


def since(before: Mapping[Fault, float], faults: Iterable[Fault], now_s: float) -> dict[Fault, float]:
    return {fault: before.get(fault, now_s) for fault in faults}


def _known(amount: int, *, there: bool) -> int | None:
    """Money is told wherever it is, also in a device that does not answer or is not set up any more. In a
    payout, counts that are in doubt may be below what was taken out.
    """
    return max(0, amount) if there or amount else None


def _clock(state: State, *, synced: bool) -> Literal["synced", "estimated", "unknown"]:
    """Estimated: carried on from a trusted time of this boot of the board. Unknown: there was none."""
    if synced:
        return "synced"
    return "unknown" if state.cabinet.clock_ns is None else "estimated"


def _offset_ms(state: State, ahead_ns: int) -> int | None:
    """By how much the board's clock is ahead of the last trusted one, carried on."""
    known_ns = state.cabinet.clock_ns
    return None if known_ns is None else round((ahead_ns - known_ns) / 10**6)


def _link(link: LinkTimes, ahead_ns: int, now_s: float) -> Link:
    return Link(
        reconnects_24h=link.reconnects_24h(now_s),
        up_since_ns=None if link.up_s is None else _wall_ns(link.up_s, ahead_ns),
        round_trip_ms=link.round_trip_ms,
    )


def _wall_ns(then_s: float, ahead_ns: int) -> int:
    """By today's clock, which may be a better one than there was then."""
    return max(0, ahead_ns + round(then_s * 10**9))
