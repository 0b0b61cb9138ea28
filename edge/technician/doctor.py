"""`vend-edge doctor`: everything that can be looked at, and what to do about it.

Of a machine that runs, devices and records are what its status says: ports and journal are its own then. A
machine that is stopped is kept stopped until its ports were tried.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from edge.config import EdgeSettings
from edge.store.journal import JournalError
from edge.store.reader import JournalInUse, JournalMissing, reading, stopped
from edge.technician import host, status
from edge.technician.certificate import certificate
from edge.technician.check import Check, ok, trouble, warning
from edge.technician.client import NoAnswer, ask
from edge.technician.devices import devices
from edge.technician.trouble import CommandError
from edge.technician.words import spoken
from shared.clock import SystemClock

_KIB: Final = 1024


def examine(settings: EdgeSettings, progress: Callable[[str], None]) -> list[Check]:
    """`progress` is told what is looked at now."""
    slots = len(settings.slots)
    found = [ok("settings", f"machine {settings.machine}, {settings.currency}, {slots} slots")]
    progress("programs, clock and disk")
    found += [*host.programs(), host.clock(), host.disk(settings.data_dir)]
    with ExitStack() as stack:
        try:
            stack.enter_context(stopped(settings.data_dir))
        except JournalInUse:
            progress("the running machine")
            found += _running(settings)
        except JournalError as error:
            found.append(trouble("journal_denied", str(error), "ask as the machine's user, or with sudo"))
        else:
            progress("the journal")
            found.append(warning("stopped", "the machine is not running", "start it when you are done"))
            found += _journal(settings.data_dir)
            progress("ports and devices")
            found += devices(settings)
    progress("the broker")
    found += certificate(settings.mqtt.tls, SystemClock().now())
    return [*found, *host.broker(settings.mqtt)]


# --- a machine that is stopped ----------------------------------------------------------------------------


def _journal(data_dir: Path) -> Iterator[Check]:
    try:
        with reading(data_dir) as journal:
            journal.check()
            counts = journal.counts()
    except JournalMissing:
        yield ok("journal", "there is none yet: it is made at the first start")
    except JournalError as error:
        todo = "keep the file: its unsent sales can be salvaged; a new one is made when it is moved aside"
        yield trouble("journal_damaged", str(error), todo)
    else:
        yield ok("journal", f"{_size(data_dir)}, checked whole")
        yield from _records(counts.owed, counts.stored, counts.parked)


def _size(data_dir: Path) -> str:
    size = sum(path.stat().st_size for path in data_dir.glob("journal.db*"))
    return f"{size // _KIB} KiB"


def _records(owed: int, stored: int, parked: int) -> Iterator[Check]:
    yield ok("records", f"{owed} owed, {stored} stored")
    if parked:
        words = f"{parked} records were refused by the cloud"
        yield warning("records_parked", words, "look at the cloud's dead letters: vend-cloud dead-letters")


# --- a machine that runs ----------------------------------------------------------------------------------


def _running(settings: EdgeSettings) -> Iterator[Check]:
    yield ok("running", "the machine is running")
    yield ok("journal", f"{_size(settings.data_dir)}, checked when the machine started")
    try:
        said = status.parse(status.last_word(settings.status_file))
    except CommandError as error:
        yield trouble("status", str(error), "see the machine's log")
        return
    yield from _records(said["owed"], said["stored"], said["parked"])
    yield from _told(said)
    try:
        ask(settings.screen_socket, "/status")
    except NoAnswer as error:
        words = f"{settings.screen_socket} does not answer: {error}"
        yield trouble("local_socket", words, "ask as the machine's user or group; see the machine's log")
    else:
        yield ok("local_socket", f"screens are answered at {settings.screen_socket}")


def _told(said: Mapping[str, Any]) -> Iterator[Check]:
    for device, reason in said["devices"].items():
        if not reason:
            yield ok(device, f"the {spoken(device)} is ready")
        elif reason != "not fitted":
            todo = "stop the machine and run doctor again: it then asks the device itself"
            yield trouble(device, f"the {spoken(device)} is not ready: {reason}", todo)
    for sensor, celsius in said["temperatures"].items():
        yield ok(f"temperature_{sensor}", f"the sensor {sensor} shows {celsius:.1f} °C")
    tenders = said["tenders"]
    if pays := [tender for tender, state in tenders.items() if state["available"]]:
        yield ok("selling", f"customers can pay: {', '.join(pays)}")
    else:
        reasons = ", ".join(f"{tender}: {state['reason']}" for tender, state in tenders.items())
        yield trouble("not_selling", f"customers cannot pay at all ({reasons})", "mend what the reasons name")
