"""A rebuild from the machines: commands are signed here, and the running cloud carries them."""

import asyncio
import getpass
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cloud.commands import keys
from cloud.commands.issue import PATIENCE_NS, issue
from cloud.commands.table import CommandTable
from cloud.config import CloudSettings
from cloud.database import StoreError
from cloud.influx import Influx
from cloud.ranges import count
from cloud.rebuild.machines import Wanted, at_once, fetch, look
from cloud.rebuild.whole import Bars, alone
from shared import commands as wire

_DEADLINE_S: Final = 60
_LOOK_S: Final = 0.1


def fetched(
    settings: CloudSettings,
    store: Path,
    machines: Sequence[str],
    key: str | None,
    bars: Bars,
    *,
    everything: bool,
) -> list[Wanted]:
    """How it ended with each machine, of all that ever told their journal. Raises StoreError, QueryError."""
    signing = keys.load(settings.data_dir / "keys", key)
    with (
        alone(settings.data_dir / "rebuild.lock", "another rebuild is running; wait for it"),
        closing(CommandTable(store)) as table,
    ):
        known = table.machines()
        strangers = sorted(set(machines) - set(known))
        if strangers:
            raise StoreError(f"{', '.join(strangers)}: never spoke here; is the name right?")
        chosen = sorted(set(machines)) or known

        async def ask(machine: str, action: wire.Action) -> dict[str, Any]:
            header = issue(table, machine, action, signing, getpass.getuser(), time.time_ns(), _DEADLINE_S)
            while True:
                now_ns = time.time_ns()
                row = table.find(header.id, now_ns)
                if row["outcome"] is not None or now_ns > header.expires_ns + PATIENCE_NS:
                    return row
                await asyncio.sleep(_LOOK_S)

        async def work() -> list[Wanted]:
            async with Influx(settings.influx) as influx:
                await influx.create_database()
                with bars("machines asked", len(chosen), 0) as tell:

                    async def looked(machine: str) -> Wanted:
                        wanted = await look(machine, ask, influx.query)
                        tell(1)
                        return wanted

                    found = await at_once([looked(machine) for machine in chosen])
                with bars("records", sum(count(one.missing) for one in found), 0) as tell:
                    await at_once(
                        [
                            fetch(one, ask, influx.query, tell, everything=everything)
                            for one in found
                            if not one.trouble
                        ]
                    )
                return found

        return asyncio.run(work())
