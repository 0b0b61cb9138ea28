"""`vend-edge support`: a bug report of a machine that runs, written by it; of one that is stopped, by us.

A stopped machine has its journal and nothing else: what went over the network and the bus ended with it.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from edge.config import EdgeSettings
from edge.kept_state import STATE
from edge.sale.state import State
from edge.store.journal import JournalError
from edge.store.reader import JournalReader, reading
from edge.support import nothing_recorded
from edge.support_file import MOST_RECORDS, Picture, SupportFile
from edge.technician.client import Declined, NoAnswer, ask
from edge.technician.trouble import EXIT_JOURNAL, CommandError
from shared.clock import SystemClock


def write(settings: EdgeSettings, minutes: int, out: Path) -> None:
    """Raises CommandError."""
    if out.exists():
        raise CommandError(f"{out} is there already; name another file")
    if out.suffix == ".gz":
        raise CommandError(f"{out} would not be compressed; name it .mqtt.jsonl")
    try:
        try:
            written = ask(settings.technician_socket, f"/support?minutes={minutes}")
        except NoAnswer:
            with reading(settings.data_dir) as journal:
                SupportFile(settings, nothing_recorded).write(_picture(settings, journal), minutes, out)
        else:
            shutil.copyfile(written["file"], out)
    except Declined as error:
        raise CommandError(str(error)) from None
    except JournalError as error:
        raise CommandError(
            f"nobody answers at {settings.technician_socket}, and {error}", EXIT_JOURNAL
        ) from None
    except OSError as error:
        raise CommandError(f"{out} cannot be written ({error})") from None


def _picture(settings: EdgeSettings, journal: JournalReader) -> Picture:
    """As of its last record."""
    epoch, last, kept = journal.sale()
    state = STATE.validate_json(kept) if kept else State(prices=settings.price_list(), stock={})
    records = journal.between(max(1, last - MOST_RECORDS + 1), max(1, last))
    newest = records[-1].record() if records else None
    now = SystemClock().now()
    at = replace(now, wall_ns=newest.header.at_ns) if newest else now
    return Picture(at, state, state, (), records, epoch, last, journal.counts())
