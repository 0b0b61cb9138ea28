"""A machine's figures out of InfluxDB: sums over all its records, of every journal it has had.

Sums, so a record that arrives late is in the interval in which it arrived and none is missed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

from cloud.dts.segments import DOOR_OPEN, FAULTS, MOTOR, NO_DROP, Figures
from cloud.export import Ask, pages

_FIELDS: Final = {
    "sale": ("machine", "tender", "slot", "paid_minor"),
    "cash_in": ("machine", "route", "value_minor"),
    "payout": ("machine", "paid_minor", "paid_notes_minor"),
    "coins_loaded": ("machine", "value_minor"),
    "coins_taken": ("machine", "value_minor"),
    "revalue": ("machine", "amount_minor"),
    "boot": ("machine", "software"),
    "vend_failed": ("machine", "slot", "reason"),
    "fault": ("machine", "device", "code"),
    "door": ("machine", "open"),
}
_SUMS: Final = {
    "coins_loaded": (("loaded_minor", "value_minor"),),
    "coins_taken": (("taken_minor", "value_minor"),),
    "revalue": (("revalued_minor", "amount_minor"),),
    "payout": (("paid_out_minor", "paid_minor"), ("paid_notes_minor", "paid_notes_minor")),
}
_UNPAID: Final = ("free", "test")


async def figures(ask: Ask, machine: str, end_ns: int) -> Figures | None:
    """None for a machine of which nothing is known. `machine`: a valid id. Raises QueryError."""
    first = await ask(f'SELECT first("seq") FROM "boot" WHERE "machine" = \'{machine}\'')  # noqa: S608
    if not first:
        return None
    sold: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    slots: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    cash_in, sums, events = Counter[str](), Counter[str](), Counter[str]()
    async for _, found in pages(ask, _FIELDS, machine, first[0]["time"], end_ns):
        for kind, point in found:
            if kind == "sale":
                _add(sold[point["tender"]], point["paid_minor"])
                if point["tender"] not in _UNPAID:
                    _add(slots[point["slot"]], point["paid_minor"])
            elif kind == "cash_in":
                cash_in[point["route"]] += point["value_minor"]
            elif kind == "boot":
                sums["boots"] += 1
            elif kind in _SUMS:
                sums.update({name: point[column] or 0 for name, column in _SUMS[kind]})
            elif (code := _event(kind, point)) is not None:
                events[code] += 1
    return Figures(_pairs(sold), _pairs(slots), dict(cash_in), events=dict(events), **sums)


def _add(pair: list[int], value: int) -> None:
    pair[0] += 1
    pair[1] += value


def _pairs(counted: Mapping[str, list[int]]) -> dict[str, tuple[int, int]]:
    return {name: (count, value) for name, (count, value) in counted.items()}


def _event(kind: str, point: Mapping[str, Any]) -> str | None:
    """The standard's code, None where it has none."""
    match kind:
        case "vend_failed":
            return f"{NO_DROP if point['reason'] == 'no_drop' else MOTOR}_{point['slot']}"
        case "door":
            return DOOR_OPEN if point["open"] else None
        case _:
            return FAULTS.get((point["device"], point["code"]))
