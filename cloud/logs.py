"""Log lines on stderr: JSON, one object a line, or plain words for a person at a terminal.

Fields (machine, epoch, code, count) stand beside the sentence: `_log.info("…", extra={"machine": machine})`.
Never a secret, never a payload. Nothing that came from outside can begin a line of its own: JSON escapes it,
and so does the plain form.
"""

import logging
import sys
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

Style = Literal["auto", "json", "words"]


class Words(logging.Formatter):
    """`LEVEL part: sentence`; a trace, where there is one, keeps its lines."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        text = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def formatter(style: Style, *, terminal: bool) -> logging.Formatter:
    if style == "words" or (style == "auto" and terminal):
        return Words()
    names = {"levelname": "level", "name": "part"}
    return JsonFormatter("%(levelname)s %(name)s %(message)s", rename_fields=names, timestamp="at")


def configure(style: Style) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(style, terminal=sys.stderr.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
