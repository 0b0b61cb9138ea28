"""Broker, InfluxDB, cloud and machines together: what the demo shows and the system tests break."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from cloud.commands.keys import make as make_key
from cloud.config import InfluxSettings
from cloud.influx import Influx as InfluxClient
from deploy.demo.machine import Books, SimulatedMachine
from deploy.demo.network import Link
from deploy.demo.servers import Broker, Influx, die_with_parent

WAIT_LIMIT_S: Final = 30.0


class Cloud:
    """The cloud process and its command line. Several may share a folder: `name` is that of the log."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        influx_url: str,
        database: str,
        *,
        name: str = "cloud",
        health_port: int | None = None,
        worker: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._run = ("run", "--worker") if worker else ("run",)
        self.config = folder / f"{name}.toml"
        self.config.write_text(
            f'data_dir = "{folder}/data"\n[mqtt]\nport = {broker_port}\nkeepalive_s = 5\n'
            f'[influx]\nurl = "{influx_url}"\ndatabase = "{database}"\n'
        )
        self.keys = folder / "data" / "keys"
        if health_port is not None:
            with self.config.open("a") as config:
                config.write(f'[health]\nlisten = "127.0.0.1:{health_port}"\n')
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cloud", "--config", str(self.config), *self._run],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # one call into libc, no locks
            )
        wait_for("the cloud's store", (self.folder / "data" / "store.db").exists)
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=20)

    def kill(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait(timeout=20)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def command(self, *words: str) -> str:
        """Run `vend-cloud …`; returns what it printed. Raises CalledProcessError with its words."""
        done = subprocess.run(
            [sys.executable, "-m", "cloud", "--config", str(self.config), *words],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def json(self, *words: str) -> Any:  # noqa: ANN401  # whatever that command prints
        return json.loads(self.command(*words, "--json"))


def _is_connected(cloud: Cloud) -> bool:
    return "connected to" in cloud.log.read_text()


class Fleet:
    """All parts, started and stopped in order. Machines reach the broker through links that can be cut.

    `workers`: cloud processes beside the one that has the desk.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], broker_settings: str | None = None, workers: int = 0
    ) -> None:
        self._workers = workers
        self._stack = ExitStack()
        self._folder = folder
        self._names = names
        self.broker = Broker(folder / "mosquitto", broker_settings)
        self.influx = Influx(folder / "influxdb")
        self.machines: dict[str, SimulatedMachine] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.broker)
            stack.enter_context(self.influx)
            where = (self._folder / "cloud", self.broker.port, self.influx.url, self.influx.database)
            self.cloud = stack.enter_context(Cloud(*where))
            keys = make_key(self.cloud.keys, "desk", "operator")
            for number in range(self._workers):
                worker = Cloud(*where, name=f"worker-{number + 1}", worker=True)
                wait_for("the worker", partial(_is_connected, stack.enter_context(worker)))
            for name in self._names:
                link = stack.enter_context(Link(self.broker.host, self.broker.port))
                machine = stack.enter_context(
                    SimulatedMachine(name, self._folder / name, link, command_keys=keys)
                )
                self.machines[name] = machine.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def stored(self) -> dict[str, Books]:
        """Sales in InfluxDB, by machine."""
        return stored(self.influx.url, self.influx.database)

    def query(self, influxql: str) -> list[dict[str, Any]]:
        return query(self.influx.url, self.influx.database, influxql)


def stored(url: str, database: str) -> dict[str, Books]:
    """Count and value of the sales in InfluxDB, by machine."""
    rows = query(
        url, database, 'SELECT count("seq") AS n, sum("paid_minor") AS v FROM "sale" GROUP BY "machine"'
    )
    return {row["machine"]: Books(row["n"], row["v"]) for row in rows}


def query(url: str, database: str, influxql: str) -> list[dict[str, Any]]:
    """Rows of one statement, times in ns."""

    async def ask() -> list[dict[str, Any]]:
        async with InfluxClient(InfluxSettings(url=url, database=database)) as client:
            return await client.query(influxql)

    return asyncio.run(ask())


def wait_for(what: str, condition: Callable[[], object], limit_s: float = WAIT_LIMIT_S) -> None:
    """Until the condition holds. Raises TimeoutError naming what did not come."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {limit_s:.0f} s for: {what}")
        time.sleep(0.02)


def _has_credit(machine: SimulatedMachine, credit_minor: int) -> bool:
    return bool(machine.status()["credit_minor"] == credit_minor)


def buy(machine: SimulatedMachine, slot: str, coins_minor: Sequence[int]) -> None:
    """One customer: coins in, selection, product and change out."""
    with _served(machine, slot):
        for coin_minor in coins_minor:
            wait_for(f"{machine.name} takes coins", machine.takes_coins)
            credit_minor = machine.status()["credit_minor"] + coin_minor
            machine.insert(coin_minor)
            wait_for(f"{machine.name} credits {coin_minor}", partial(_has_credit, machine, credit_minor))
        machine.press(slot)


def buy_with_note(machine: SimulatedMachine, slot: str, note_minor: int) -> None:
    """One customer: a note in, selection, product and change out."""
    with _served(machine, slot):
        wait_for(f"{machine.name} takes notes", machine.takes_notes)
        machine.insert_note(note_minor)
        wait_for(f"{machine.name} credits {note_minor}", partial(_has_credit, machine, note_minor))
        machine.press(slot)


def buy_by_card(machine: SimulatedMachine, slot: str) -> None:
    """One customer: card shown, selection, product."""
    with _served(machine, slot):
        wait_for(f"{machine.name} takes cards", lambda: machine.status()["devices"]["reader_1"] == "")
        machine.reader.show_card()
        wait_for(f"{machine.name} has seen the card", lambda: machine.status()["phase"] == "session")
        machine.press(slot)


@contextmanager
def _served(machine: SimulatedMachine, slot: str) -> Iterator[None]:
    before = machine.status().get("sales", 0)
    yield
    wait_for(
        f"{machine.name} delivers {slot}",
        lambda: machine.status()["sales"] == before + 1 and machine.status()["phase"] == "idle",
    )
