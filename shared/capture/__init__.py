"""Capture files: MQTT traffic as JSON lines, a header line and then one object a message (docs/captures.md).

Append only. A batch is on stable storage when `CaptureWriter.append` returns. A torn last line, left by a
power cut, was never acknowledged to anybody: readers pass over it and the writer cuts it off. A file whose
name ends in `.gz` is compressed. Readers also take what `mosquitto_sub` writes (`stock`).
"""

from shared.capture.message import FORMAT, VERSION, CaptureError, Header, Message
from shared.capture.reader import chained, decode, read, read_header, started_at_ns
from shared.capture.writer import CaptureWriter

__all__ = [
    "FORMAT",
    "VERSION",
    "CaptureError",
    "CaptureWriter",
    "Header",
    "Message",
    "chained",
    "decode",
    "read",
    "read_header",
    "started_at_ns",
]
