"""A machine joins: `vend-edge join` against the join desk, over real TLS, with somebody in between too."""

import http.client
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from cloud.identity.issue import Desk, invite
from cloud.identity.join_desk import TRIES, Pace, application
from edge.technician.join import join
from edge.technician.trouble import CommandError
from shared import certificates as certs
from shared.settings import TlsSettings
from tests.cloud.identity.desk_server import DeskServer, server_tls
from tests.cloud.identity.rig import AN_HOUR, NOW_NS, desk, join_request


class Rig:
    def __init__(self, opened: Desk, folder: Path) -> None:
        self.desk, self.folder = opened, folder
        self.tls = TlsSettings(ca=folder / "machine/ca.pem", certificate=folder / "machine/machine.pem")
        self.welcomed = 0
        self.now_s = 0.0

    def code(self, machine: str = "m1") -> str:
        return invite(self.desk.register, machine, self.desk.authority.pem, NOW_NS, AN_HOUR).text()

    def application(self) -> web.Application:
        def welcome() -> None:
            self.welcomed += 1

        return application(self.desk, lambda: NOW_NS, lambda: self.now_s, welcome)

    def join(self, url: str, code: str, machine: str = "m1") -> None:
        join(machine, self.tls, url, code, "synced")

    def files(self) -> set[str]:
        return {path.name for path in self.folder.joinpath("machine").glob("*")}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with desk(tmp_path) as opened:
        yield Rig(opened, tmp_path)


@pytest.fixture
def server(rig: Rig) -> Iterator[DeskServer]:
    with DeskServer(rig.application(), server_tls(rig.desk, rig.folder, "127.0.0.1")) as running:
        yield running


def test_a_machine_joins_with_a_code(rig: Rig, server: DeskServer) -> None:
    rig.join(server.url, rig.code().lower())
    pem = rig.tls.certificate.read_bytes()
    assert stat.S_IMODE(rig.tls.certificate.stat().st_mode) == 0o600
    assert rig.files() == {"ca.pem", "machine.pem"}
    (issued,) = rig.desk.register.of("m1")
    assert issued.pem.encode() in pem
    assert issued.public_key == certs.der(certs.read_key(pem).public_key())
    assert rig.tls.ca.read_bytes() == rig.desk.authority.pem
    assert rig.welcomed == 0


@pytest.mark.parametrize("cut", ["before the answer is kept", "before its key is cleared away"])
def test_cut_off_and_said_again_it_has_one_certificate(
    rig: Rig, server: DeskServer, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    code = rig.code()
    with monkeypatch.context() as patched:
        if cut == "before the answer is kept":
            patched.setattr("edge.technician.join.certs.is_signed_by", _dies)  # the next thing done with it
        else:
            patched.setattr(Path, "unlink", _dies)
        with pytest.raises(KeyboardInterrupt):
            rig.join(server.url, code)
    rig.join(server.url, code)
    (issued,) = rig.desk.register.of("m1")
    assert issued.pem.encode() in rig.tls.certificate.read_bytes()
    assert rig.files() == {"ca.pem", "machine.pem"}


def _dies(*_words: object, **_more: object) -> None:
    raise KeyboardInterrupt


def test_a_revoked_machine_that_joins_again_is_welcomed(rig: Rig, server: DeskServer) -> None:
    rig.join(server.url, rig.code())
    rig.desk.register.revoke("m1", "stolen", NOW_NS)
    rig.join(server.url, rig.code())
    assert rig.welcomed == 1
    assert rig.desk.register.denied() == frozenset()


# ---- somebody in between


class Recorder:
    """Passes for a join desk, and keeps what it is sent."""

    def __init__(self, authority: bytes) -> None:
        self._authority = authority
        self.sent: list[str] = []

    def application(self) -> web.Application:
        async def anything(request: web.Request) -> web.Response:
            if request.method != "GET":
                self.sent.append(await request.text())
            return web.Response(body=self._authority)

        built = web.Application()
        built.router.add_route("*", "/{path:.*}", anything)
        return built


@pytest.mark.parametrize("shows", ["an authority of its own", "the true authority", "nonsense"])
def test_nothing_is_said_to_a_stranger(rig: Rig, tmp_path: Path, shows: str) -> None:
    (tmp_path / "thief").mkdir()
    with desk(tmp_path / "thief") as thief:
        pem = {"an authority of its own": thief.authority.pem, "nonsense": b"hello"}
        recorder = Recorder(pem.get(shows, rig.desk.authority.pem))
        tls = server_tls(thief, tmp_path, "127.0.0.1")
        with DeskServer(recorder.application(), tls) as stranger, pytest.raises(CommandError) as told:
            rig.join(stranger.url, rig.code())
    assert recorder.sent == []
    says = {"an authority of its own": "not whom the code names", "nonsense": "no join desk"}
    assert says.get(shows, "not believed") in str(told.value)
    assert not rig.tls.certificate.exists()


def test_the_desk_has_to_be_at_its_own_address(rig: Rig) -> None:
    """A machine's own certificate does not make a join desk, nor one of another host."""
    with (
        DeskServer(rig.application(), server_tls(rig.desk, rig.folder, "elsewhere.example")) as elsewhere,
        pytest.raises(CommandError, match="not believed"),
    ):
        rig.join(elsewhere.url, rig.code())


# ---- mistakes, in words


@pytest.mark.parametrize(
    ("url", "code", "status", "says"),
    [
        ("http://127.0.0.1:1", None, 2, "https://HOST:PORT"),
        ("https://127.0.0.1", None, 2, "https://HOST:PORT"),
        ("https://[", None, 2, "https://HOST:PORT"),
        ("https://127.0.0.1:1", None, 1, "check the network"),
        ("https://127.0.0.1:1", "ABCD", 2, "32 letters"),
    ],
)
def test_mistakes(rig: Rig, url: str, code: str | None, status: int, says: str) -> None:
    with pytest.raises(CommandError, match=says) as told:
        rig.join(url, code or rig.code())
    assert told.value.exit_status == status


def test_settings_that_name_no_files_or_two(rig: Rig) -> None:
    code = rig.code()
    for tls in (None, rig.tls.model_copy(update={"key": Path("key.pem")})):
        with pytest.raises(CommandError, match=r"set \[mqtt.tls\]"):
            join("m1", tls, "https://127.0.0.1:1", code, "synced")


def test_the_wrong_code_is_refused_in_words(rig: Rig, server: DeskServer) -> None:
    code = rig.code()
    rig.code()  # a newer one
    with pytest.raises(CommandError, match="vend-cloud invite m1"):
        rig.join(server.url, code)
    assert rig.files() == {"machine.pem.joining"}, "its key, for the next try"


def test_everybody_together_is_slowed_down(rig: Rig, server: DeskServer) -> None:
    code = rig.code()
    pace = Pace(TRIES, 60.0)
    assert [pace.allows(0.0) for _ in range(TRIES + 1)] == [True] * TRIES + [False]
    assert pace.allows(60.0)
    for _ in range(TRIES):
        with pytest.raises(CommandError):
            rig.join(server.url, code, "m2")
    with pytest.raises(CommandError, match="try again in a minute"):
        rig.join(server.url, code)
    rig.now_s = 61.0
    rig.join(server.url, code)


def test_a_body_that_is_none(rig: Rig, server: DeskServer) -> None:
    context = ssl.create_default_context(cadata=rig.desk.authority.pem.decode())
    wanted = join_request("m1", "x").model_dump_json()
    for body, status in (("{}", 400), ("\xff", 400), ("x" * 100_000, 413), (wanted, 403)):
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)
        connection.request("POST", "/join", body.encode("latin-1"))
        assert connection.getresponse().status == status, body[:10]
        connection.close()
