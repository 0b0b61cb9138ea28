"""What a person at the machine, a screen or a demo may know: one JSON file, replaced whole on each change.

The journal itself admits no second reader. The file belongs on a tmpfs: it is not synced and may be lost.
"""

import json
from pathlib import Path
from typing import Any

from edge.core import Core
from edge.sale.tenders import availability


class StatusFile:
    """`text` is the last that was written, for other threads: replaced whole too. Empty before the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.text = ""

    def write(self, core: Core) -> None:
        self.text = json.dumps(_status(core))
        fresh = self._path.with_suffix(".new")
        fresh.write_text(self.text, encoding="utf-8")
        fresh.replace(self._path)


def _status(core: Core) -> dict[str, Any]:
    """Money in minor units of `currency`; of `devices` what is wrong with each, empty where nothing is;
    `prices`: what cash pays now, with the `schedules` that hold; `closed`: slots that are not sold, with the
    reason; `commands_refused`: by code, in this run; `temperatures`: degrees Celsius by sensor;
    `round_trip_ms`: how soon the broker answers, null where nobody knows.
    """
    state, counts = core.state, core.journal.counts
    return {
        "machine": core.journal.machine,
        "epoch": core.journal.epoch,
        "link_up": core.connected,
        "round_trip_ms": core.health.link.round_trip_ms,
        "phase": state.phase.value,
        "message": state.message,
        "currency": state.prices.currency,
        "credit_minor": state.credit_minor,
        "sales": state.totals.sales,
        "sold_minor": state.totals.sold_minor,
        "owed": counts.owed,
        "stored": counts.stored,
        "parked": counts.parked,
        "price_version": state.prices.version,
        "prices": {slot: state.price_minor(slot, "cash") for slot in state.prices.prices},
        "schedules": [state.prices.schedules[n].name for n in state.holding],
        "config_version": state.config.version if state.config else 0,
        "products": dict(core.machine.products),
        "stock": state.stock,
        "closed": state.closed,
        "locked": state.cabinet.locked,
        "commands_refused": dict(core.desk.refused),
        "visit": state.service,
        "temperatures": core.health.temperatures,
        "devices": {
            "changer": state.changer,
            "validator": state.validator,
            **{f"reader_{number}": reader.reason for number, reader in state.readers.items()},
            "board": state.board,
        },
        "tenders": {t: a.model_dump() for t, a in availability(state).items()},
    }
