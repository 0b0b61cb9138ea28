"""Write the sale's table as a page: python -m deploy.setup.sale_doc > docs/sale.md"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from edge.sale.machine import MOVES, TABLE
from edge.sale.state import Phase

_HEAD: Final = """\
# The sale

Printed from the tables in `edge/sale/machine.py` by `python -m deploy.setup.sale_doc`: do not edit. The
diagram shows where customers, motors and cards lead. What may come in every phase (cash, devices, power
cuts) stands in the table below it, which names the function that decides each pair of phase and event; a
dot is an event that means nothing there.
"""


def _words(event: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event.__name__).lower()


def _arrows() -> Iterator[str]:
    labels: dict[tuple[Phase, Phase], list[str]] = defaultdict(list)
    for event, row in TABLE.items():
        if len(set(row.values())) == 1:
            continue  # decided alike in every phase
        for phase, handler in row.items():
            for target in MOVES.get(handler, ()):
                if target is not phase:
                    labels[phase, target].append(_words(event))
    for (phase, target), events in sorted(labels.items()):
        yield f"    {phase} --> {target}: {', '.join(events)}"


def _rows() -> Iterator[str]:
    yield "| event | " + " | ".join(Phase) + " |"
    yield "|---" * (len(Phase) + 1) + "|"
    for event, row in TABLE.items():
        names = (f"`{h.__module__.rsplit('.', 1)[1]}.{h.__name__}`" for h in row.values())
        cells = ("·" if name.endswith("._nothing`") else name for name in names)
        yield f"| {_words(event)} | " + " | ".join(cells) + " |"


def text() -> str:
    diagram = ["```mermaid", "stateDiagram-v2", "    [*] --> idle", *_arrows(), "```"]
    return "\n".join((_HEAD, *diagram, "", *_rows())) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
