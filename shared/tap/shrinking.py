"""`vend-tap shrink`: the smallest capture with which a command still fails."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from shared.capture import Header, Message, read, read_header
from shared.capture.rotation import new
from shared.shrink import shrink
from shared.tap import options
from shared.tap.options import said, talk

_PLACE: Final = "{}"


class Trial:
    """Runs the command on a capture. `status`: how it ended with the whole one."""

    def __init__(self, header: Header, command: Sequence[str], folder: Path) -> None:
        self._header = header
        self._command = command
        self._path = folder / "part.mqtt.jsonl"
        self.tries = 0
        self.status = 0

    def run(self, messages: Sequence[Message]) -> int:
        self._path.unlink(missing_ok=True)
        writer = new(self._path, self._header)
        writer.append(messages)
        writer.close()
        self.tries += 1
        command = [part.replace(_PLACE, str(self._path)) for part in self._command]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        return done.returncode

    def fails(self, messages: Sequence[Message]) -> bool:
        """In the same way: another exit status is another trouble."""
        return self.run(messages) == self.status


@click.command(name="shrink")
@click.argument("file", type=options.FILE)
@options.OUT
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
def shrink_command(file: Path, out: Path, command: Sequence[str]) -> None:
    """Write to OUT the smallest part of a capture with which COMMAND ends as it does with all of it.

    COMMAND is run many times, with the name of a capture in place of {}:

    vend-tap shrink jam.mqtt.jsonl small.mqtt.jsonl -- pytest test_jam.py --vend-capture {}
    """
    if not any(_PLACE in part for part in command):
        raise click.UsageError("write {} where the command takes the name of the capture")
    with said(), tempfile.TemporaryDirectory(prefix="vend-shrink-") as folder:
        messages = list(read(file))
        trial = Trial(read_header(file), command, Path(folder))
        trial.status = trial.run(messages)
        if not trial.status:
            talk("the command ends with 0 on the whole capture: there is no failure to keep")
            sys.exit(1)
        small = shrink(messages, trial.fails)
        writer = new(out, read_header(file))
        writer.append(small)
        writer.close()
    talk(f"{len(small):,} of {len(messages):,} messages in {out}, after {trial.tries:,} runs")
