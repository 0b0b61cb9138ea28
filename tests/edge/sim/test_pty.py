from pathlib import Path

import pytest
import serial

from edge.sim.pty import PtyServer


class Echo:
    """Says what it heard."""

    def turn(self, data: bytes, now_s: float) -> bytes:
        return data


def open_port(server: PtyServer) -> serial.Serial:
    return serial.Serial(server.path, 115200, parity=serial.PARITY_NONE, timeout=5.0, exclusive=True)


def test_bytes_go_through_unchanged(tmp_path: Path) -> None:
    said = bytes(range(256))
    with PtyServer(Echo(), tmp_path / "line") as server, open_port(server) as port:
        port.write(said)
        assert port.read(len(said)) == said


def test_a_client_may_go_and_another_come(tmp_path: Path) -> None:
    with PtyServer(Echo(), tmp_path / "line") as server:
        for _ in range(3):
            with open_port(server) as port:
                port.write(b"hello")
                assert port.read(5) == b"hello"


def test_split_delayed_and_with_garbage(tmp_path: Path) -> None:
    with PtyServer(Echo(), tmp_path / "line") as server, open_port(server) as port:
        server.chunk_bytes = 2
        server.delay_s = 0.05
        server.garbage(b"??")
        port.write(b"hello")
        assert port.read(7) == b"??hello"


def test_doubled(tmp_path: Path) -> None:
    with PtyServer(Echo(), tmp_path / "line") as server, open_port(server) as port:
        server.copies = 2
        port.write(b"hello")
        assert port.read(10) == b"hellohello"


def test_unplug_ends_the_line_and_replug_makes_another(tmp_path: Path) -> None:
    with PtyServer(Echo(), tmp_path / "line") as server:
        with open_port(server) as port:
            server.unplug()
            with pytest.raises(OSError):  # noqa: PT011  which of the kinds depends on where it is noticed
                port.read(1)
        assert not Path(server.path).exists()
        server.replug()
        with open_port(server) as port:
            port.write(b"x")
            assert port.read(1) == b"x"
        assert Path(server.path).is_symlink()
