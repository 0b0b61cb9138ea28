"""A bug report as a capture: how the machine is, its last messages and records, nothing secret in it.

The header has versions, the settings that matter, the sale's state before the first message and now, and the
last words on the bus. Then come the journal's last records, marked, and the last MQTT messages. A machine is
made of such a file by edge/replay.py. It is written on a connection's thread, which takes no part in the
sale; the file appears whole or not at all. Raises OSError.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Final

from edge.config import EdgeSettings
from edge.kept_state import STATE
from edge.sale.state import State
from edge.store.journal import Counts
from edge.store.kept import Kept
from edge.support import Recording
from shared import codec, redaction, topics
from shared.capture import CaptureWriter, Message
from shared.clock import Now
from shared.records import Sale

MOST_RECORDS: Final = 300
MARK: Final = "vendlink-journal"  # user property: what became of a record, and its number
REFUSED: Final = "vendlink-refused"  # and why, where it was parked
SOURCE: Final = "vend-edge support"
NAME: Final = "support.mqtt.jsonl"  # in the data_dir of a machine that runs: written anew each time
# What may be told. Where the broker is, files, ports and whoever may command here are left out.
_SETTINGS: Final = {
    *("machine", "currency", "adapter", "validator", "readers", "board", "clock_wait_s"),
    *("keep_days", "keep_records", "cash", "service", "groups", "xy", "modbus", "slots"),
}
_NS: Final = 10**9
_PART: Final = 200  # messages that are written at a time, so that few are in memory twice


@dataclass(frozen=True, slots=True)
class Picture:
    """What the loop knows at one moment. `messages`: their `t_ns` is monotonic time of the board."""

    taken: Now
    before: State
    state: State
    messages: Sequence[Message]
    records: Sequence[Kept]
    epoch: str
    last_seq: int
    counts: Counts


class SupportFile:
    """Writes the files of one machine, one at a time."""

    def __init__(self, settings: EdgeSettings, recording: Recording) -> None:
        self._settings = settings
        self._recording = recording
        self._writing = Lock()

    def write(self, picture: Picture, minutes: int, path: Path) -> None:
        """What was said and written down in these minutes; of what was heard all that is remembered, and
        every record that is not stored: prices in force and what is owed follow from them.
        """
        fresh = path.with_name(f"{path.name}.new")
        since_ns = picture.taken.wall_ns - minutes * 60 * _NS
        recent = [m for m in picture.messages if m.dir == "in" or m.at_ns >= since_ns]
        kept = [(one.state, _record(one, picture, self._settings.machine)) for one in picture.records]
        began_ns = min((m.t_ns for m in recent), default=round(picture.taken.monotonic_s * _NS))
        started_ns = min((m.at_ns for m in recent), default=picture.taken.wall_ns)
        with self._writing:
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600)
            writer = CaptureWriter(fresh, SOURCE, started_ns, self._about(picture))
            messages = [
                *(m for state, m in kept if m.at_ns >= since_ns or state != "stored"),
                *(redaction.redacted(replace(m, t_ns=m.t_ns - began_ns)) for m in recent),
            ]
            for first in range(0, len(messages), _PART):
                writer.append(messages[first : first + _PART])
            writer.close()
            fresh.replace(path)

    def _about(self, picture: Picture) -> dict[str, Any]:
        counts = picture.counts
        about = {
            "retain_as_published": True,
            "machine": self._settings.machine,
            "versions": {"vendlink": version("vendlink"), "python": platform.python_version()},
            "redacted": [*redaction.RULES, "numbers of cards in the words on the bus"],
            "settings": {
                **self._settings.model_dump(mode="json", include=_SETTINGS),
                "mqtt": {
                    "protocol": self._settings.mqtt.protocol,
                    "keepalive_s": self._settings.mqtt.keepalive_s,
                },
            },
            "journal": {
                "epoch": picture.epoch,
                "last_seq": picture.last_seq,
                "owed": counts.owed,
                "stored": counts.stored,
                "parked": counts.parked,
            },
            "before": STATE.dump_python(picture.before, mode="json"),
            "now": STATE.dump_python(picture.state, mode="json"),
            "bus": self._recording(picture.taken.monotonic_s),
        }
        told: dict[str, Any] = json.loads(redaction.redacted_text(json.dumps(about)))
        return told


def _record(kept: Kept, picture: Picture, machine: str) -> Message:
    """As if it had been said on its own, before all that was."""
    record = kept.record()
    topic = topics.SALE if record is not None and isinstance(record.body, Sale) else topics.EVENT
    mark = [[MARK, f"{kept.state} {kept.seq}"], *([[REFUSED, kept.refused]] if kept.refused else [])]
    at_ns = record.header.at_ns if record is not None else picture.taken.wall_ns
    return redaction.redacted(
        Message(
            t_ns=0,
            at_ns=at_ns,
            dir="out",
            topic=topic.of(machine),
            qos=topic.qos,
            retain=topic.retained,
            payload=codec.join([kept.body]),
            properties={"ContentType": topic.codec.value, "UserProperty": mark},
        )
    )
