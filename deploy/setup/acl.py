"""Write the broker's rights from the table of topics: python -m deploy.setup.acl > mosquitto/acl"""

import sys
from collections.abc import Iterator
from typing import Final

from shared.topics import TOPICS, Direction

CLOUD_USER: Final = "vend-cloud"

_HEAD: Final = """\
# Who may read and write what; everything else is denied. Written by `python -m deploy.setup.acl` from
# shared/topics.py, one line a topic and direction and no wildcard but the machine's place: do not edit.
"""
_MACHINES: Final = """
# %u is the user name, which is the common name of the machine's certificate."""


def lines() -> Iterator[str]:
    yield _HEAD
    yield f"user {CLOUD_USER}"
    for topic in TOPICS:
        yield f"topic {'read' if topic.direction is Direction.UP else 'write'} {topic.filter}"
    yield _MACHINES
    for topic in TOPICS:
        yield f"pattern {'write' if topic.direction is Direction.UP else 'read'} {topic.of('%u')}"


def text() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
