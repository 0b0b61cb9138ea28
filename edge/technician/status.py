"""`vend-edge status`: the machine's last word about itself, for a person to read."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.config import EdgeSettings
from edge.technician.client import NoAnswer, ask
from edge.technician.trouble import CommandError
from shared import money


def last_word(path: Path) -> str:
    """The status file's text. Raises CommandError where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{path}: {error.strerror}; the machine has not been started since this computer was"
        ) from None


def answers(settings: EdgeSettings) -> bool:
    """Whether the machine runs, as far as its socket tells. The journal's lock is not for looking: a machine
    that starts in that moment would be refused it.
    """
    try:
        ask(settings.screen_socket, "/status")
    except NoAnswer:
        return False
    return True


def text(status: Mapping[str, Any]) -> str:
    return "\n".join(f"{name:10}{value}".rstrip() for name, value in _lines(status))


def _lines(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    currency = status["currency"]

    def amount(minor: int) -> str:
        return money.text(minor, currency)

    yield "machine", f"{status['machine']}, journal {status['epoch']}"
    yield "network", _network(status)
    yield "customer", f"{status['phase']}, credit {amount(status['credit_minor'])}"
    yield "message", status["message"] or "-"
    yield from _table("pay with", {t: _tender(a) for t, a in status["tenders"].items()})
    yield from _table("devices", {d: reason or "ready" for d, reason in status["devices"].items()})
    yield from _table("sensors", {s: f"{c:.1f} °C" for s, c in status["temperatures"].items()})
    yield "records", f"{status['owed']} owed, {status['stored']} stored, {status['parked']} parked"
    yield "sold", f"{status['sales']} for {amount(status['sold_minor'])}"
    yield "prices", f"list {status['price_version']}"
    if refused := status.get("commands_refused"):
        yield "commands", "refused: " + ", ".join(f"{n} {code}" for code, n in sorted(refused.items()))
    slots = {
        slot: f"{count} left at {amount(status['prices'][slot])}{_closed(status['closed'].get(slot))}"
        for slot, count in status["stock"].items()
    }
    yield from _table("slots", slots)


def _network(status: Mapping[str, Any]) -> str:
    if not status["link_up"]:
        return "no connection to the broker"
    round_trip_ms = status["round_trip_ms"]
    return "connected to the broker" + (f", which answers in {round_trip_ms} ms" if round_trip_ms else "")


def _closed(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def _tender(availability: Mapping[str, Any]) -> str:
    said = "yes" if availability["available"] else "no"
    return f"{said}: {availability['reason']}" if availability["reason"] else said


def _table(name: str, rows: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    width = max(map(len, rows), default=0)
    for key, value in rows.items():
        yield name, f"{key:{width}}  {value}"
        name = ""  # once, at the first row


def parse(word: str) -> dict[str, Any]:
    """Raises CommandError for a file that is no status."""
    try:
        status = json.loads(word)
        text(status)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CommandError("the status file cannot be read; it is written anew at the next event") from None
    assert isinstance(status, dict)
    return status
