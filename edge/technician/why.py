"""`vend-edge why`: the records around one, from the running machine or from its journal, as a story.

The journal admits one process. So a running machine is asked through its technician's socket; only of a
machine that is stopped the file itself is read.
"""

from pathlib import Path

from edge.config import EdgeSettings
from edge.store.journal import JournalError
from edge.store.kept import Kept
from edge.store.reader import JournalInUse, reading
from edge.technician.client import NoAnswer, ask
from edge.technician.timeline import REACH, Timeline, timeline
from edge.technician.trouble import EXIT_JOURNAL, CommandError


def why(settings: EdgeSettings, seq: int) -> Timeline:
    """Raises CommandError."""
    first, last = max(1, seq - REACH), seq + REACH
    try:
        with reading(settings.data_dir) as journal:
            kept = journal.between(first, last)
    except JournalInUse:
        kept = _asked(settings.technician_socket, first, last)
    except JournalError as error:
        raise CommandError(str(error), EXIT_JOURNAL) from None
    try:
        return timeline(kept, seq)
    except KeyError:
        raise CommandError(
            f"record {seq} is not in this machine's journal: it was not written yet, or was forgotten "
            f"after keep_days or keep_records ({settings.keep_days} days, {settings.keep_records} records)"
        ) from None


def text(story: Timeline) -> str:
    if story.first is None:
        head = f"Record {story.seq} belongs to no sale."
    elif story.first == story.last:
        head = f"Record {story.seq} is a sale of one record."
    else:
        head = f"Record {story.seq} belongs to the sale of records {story.first} to {story.last}."
    lines = [head, ""]
    for entry in story.entries:
        mark = ">" if entry.seq == story.seq else " "
        trust = "" if entry.clock == "synced" else " (time estimated)"
        lines += [
            f"{mark}{entry.seq:>7}  {entry.at}  {entry.offset_ns / 10**9:+9.3f} s  {entry.text}{trust}",
            f"{'':9}{entry.upload}",
        ]
    return "\n".join(lines)


def _asked(path: Path, first: int, last: int) -> list[Kept]:
    try:
        raw = ask(path, f"/records?from={first}&to={last}")
    except NoAnswer as error:
        raise CommandError(
            f"the machine is running, and does not answer at {path} ({error}); "
            "ask as the machine's user or with sudo, or stop the machine"
        ) from None
    return [Kept.from_json(row) for row in raw["records"]]
