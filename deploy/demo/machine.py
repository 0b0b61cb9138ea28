"""One simulated vending machine: real bytes on two pseudo-terminals, and the edge program as a process.

`hardware` is the ground truth: what coins went in and out and what dropped, whatever any program says.
"""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from deploy.demo.network import Link
from deploy.demo.servers import die_with_parent
from edge.sim.bus import VirtualBus
from edge.sim.changer import SimChanger
from edge.sim.pty import PtyServer
from edge.sim.qibixx import SimQibixx
from edge.sim.reader import SimReader
from edge.sim.validator import SimValidator
from edge.sim.xy import SimXyBoard
from shared import codec

COINS_MINOR: Final = (5, 10, 20, 50, 100, 200)  # the simulated changer's coin types, EUR
NOTES_MINOR: Final = (500, 1_000, 2_000, 5_000)  # and the validator's
SLOTS: Final = {"A1": (11, "cola", 150), "A2": (12, "chips", 90), "B1": (21, "water", 100)}
_CAPACITY: Final = 200


@dataclass(frozen=True, slots=True)
class Books:
    """Sales and their value, minor units."""

    sales: int
    value_minor: int


class SimulatedMachine:
    """`link` is the network between this machine and the broker."""

    def __init__(
        self,
        name: str,
        folder: Path,
        link: Link,
        motor_run_s: float = 0.3,
        command_keys: str = "",
        keepalive_s: int = 5,
    ) -> None:
        self.name = name
        self.folder = folder
        self.link = link
        self.command_keys = command_keys
        self.keepalive_s = keepalive_s
        folder.mkdir(parents=True, exist_ok=True)
        # The two-euro tube does not exist: such coins go to the cashbox, as in a real changer.
        self.changer = SimChanger(tubes=(60, 60, 60, 60))
        self.validator = SimValidator()
        self.reader = SimReader()
        self.board = SimXyBoard({row[0]: _CAPACITY for row in SLOTS.values()}, motor_run_s)
        self.bus = VirtualBus([self.changer, self.validator, self.reader])
        self._mdb = PtyServer(SimQibixx(self.bus), folder / "mdb")
        self._motors = PtyServer(self.board, folder / "board")
        self._edge: subprocess.Popen[bytes] | None = None
        self.config = folder / "edge.toml"

    def __enter__(self) -> Self:
        self._mdb.replug()
        self._motors.replug()
        self.config.write_text(self._settings())
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._mdb.unplug()
        self._motors.unplug()

    def _settings(self) -> str:
        slots = "".join(
            f'[[slots]]\nslot = "{slot}"\nselection = {selection}\nproduct = "{product}"\n'
            f"price_minor = {price_minor}\ncapacity = {_CAPACITY}\npar = {_CAPACITY}\n"
            for slot, (selection, product, price_minor) in SLOTS.items()
        )
        return (
            f'machine = "{self.name}"\ncurrency = "EUR"\ndata_dir = "{self.folder}/data"\n'
            f'status_file = "{self.folder}/status.json"\nmdb_port = "{self._mdb.path}"\n'
            f'board_port = "{self._motors.path}"\nclock_wait_s = 0\nvalidator = true\nreaders = [1]\n'
            f"[mqtt]\nport = {self.link.port}\nkeepalive_s = {self.keepalive_s}\n{slots}"
            f"[commands]\nown_clock = true\n{self.command_keys}"
        )

    def start(self) -> Self:
        with (self.folder / "edge.log").open("ab") as log:
            self._edge = subprocess.Popen(
                [sys.executable, "-m", "edge", "--config", str(self.config), "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
            )
        return self

    def stop(self) -> None:
        edge, self._edge = self._edge, None
        if edge is not None:
            edge.terminate()
            edge.wait(timeout=20)

    def kill(self) -> None:
        """SIGKILL: no goodbye, no clean-up."""
        edge, self._edge = self._edge, None
        assert edge is not None
        edge.kill()
        edge.wait(timeout=20)

    @property
    def pid(self) -> int:
        assert self._edge is not None
        return self._edge.pid

    # ---- the customer's hands

    def insert(self, value_minor: int) -> None:
        self.changer.insert(COINS_MINOR.index(value_minor))

    def insert_note(self, value_minor: int) -> None:
        self.validator.insert(NOTES_MINOR.index(value_minor))

    def press(self, slot: str) -> None:
        self.board.press(SLOTS[slot][0])

    # ---- what can be seen

    def takes_coins(self) -> bool:
        return self.changer.truth().enabled_mask != 0

    def takes_notes(self) -> bool:
        return self.validator.truth().enabled_mask != 0

    def status(self) -> dict[str, Any]:
        """The machine's own word; empty before its first."""
        try:
            status: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return status

    def hardware(self) -> Books:
        """Ground truth, with nobody's credit in the machine: products dropped, coins kept."""
        drops = sum(self.board.truth().drops.values())
        coins, notes = self.changer.truth(), self.validator.truth()
        kept_minor = coins.taken_minor() - coins.paid_minor() + notes.taken_minor() + self.reader.truth().paid
        return Books(drops, kept_minor)

    def records(self) -> list[dict[str, Any]]:
        """Every record of the journal, in order. The edge must not be running."""
        with closing(sqlite3.connect(self.folder / "data" / "journal.db")) as db:
            bodies = [codec.unpack(body) for (body,) in db.execute("SELECT body FROM record ORDER BY seq")]
        return [body for body in bodies if isinstance(body, dict)]

    def journal(self) -> Books:
        """The sales in the journal's own records. The edge must not be running."""
        sales = [record for record in self.records() if record["kind"] == "sale"]
        return Books(len(sales), sum(sale["paid_minor"] for sale in sales))
