"""What each name may do at the broker, from the table of topics: the text of Mosquitto's acl_file."""

from collections.abc import Collection, Iterator
from typing import Final

from cloud.gauges.broker import TOPICS as OF_THE_BROKER
from shared.topics import CLOUD_USER, CLOUD_USERS, SIGNER_USER, TOPICS, Direction

_HEAD: Final = """\
# Who may read and write what; everything else is denied. Written from shared/topics.py, one line a topic and
# direction and no wildcard but the machine's place: do not edit. The repository's copy is written by
# `python -m deploy.setup.acl`, the broker's by `vend-cloud`.
"""
_MACHINES: Final = """
# %u is the user name, which is the common name of the machine's certificate."""


def _lines(denied: Collection[str]) -> Iterator[str]:
    yield _HEAD.rstrip("\n")
    for user in (*CLOUD_USERS, SIGNER_USER):
        if user not in denied:
            yield f"\nuser {user}"
            for topic in TOPICS:
                if topic.user == (CLOUD_USER if user in CLOUD_USERS else user):
                    yield f"topic {'read' if topic.direction is Direction.UP else 'write'} {topic.filter}"
            if user in CLOUD_USERS:
                yield from (f"topic read {name}" for name in OF_THE_BROKER)
    yield _MACHINES
    for topic in TOPICS:
        yield f"pattern {'write' if topic.direction is Direction.UP else 'read'} {topic.of('%u')}"
    if denied:
        yield "\n# Revoked. It holds on connections that are there already, which a revocation list does not."
    for name in sorted(denied):
        yield f"user {name}\ntopic deny #"


def text(denied: Collection[str] = ()) -> str:
    """`denied`: names that may do nothing at all."""
    return "\n".join(_lines(denied)) + "\n"
