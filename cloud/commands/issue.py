"""A command is signed and put where `vend-cloud run` finds it."""

import secrets
from typing import Final

from cloud.commands.keys import SigningKey
from cloud.commands.table import CommandTable
from shared import commands as wire

PATIENCE_NS: Final = 3 * 10**9  # after the deadline, for an answer under way


def issue(
    table: CommandTable,
    machine: str,
    action: wire.Action,
    key: SigningKey,
    who: str,
    now_ns: int,
    deadline_s: int,
) -> wire.Header:
    header = wire.Header(
        machine=machine,
        id=secrets.token_hex(16),
        issued_ns=now_ns,
        expires_ns=now_ns + deadline_s * 10**9,
    )
    order = wire.Order(header, action)
    table.add(order, wire.seal(order, key.name, key.private.sign), key=key.name, role=key.role, who=who)
    return header
