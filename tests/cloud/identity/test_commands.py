"""The operator's commands for identities: what they write, print and refuse."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import main
from shared import certificates as certs
from shared import join_code
from tests.cloud.identity.rig import request


class Office:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "cloud.toml"
        (folder / "broker").mkdir()
        self.config.write_text(f"""
data_dir = "{folder}/data"
[mqtt]
port = 9
[mqtt.tls]
ca = "{folder}/cloud/ca.pem"
certificate = "{folder}/cloud/cloud.pem"
[identity]
broker_dir = "{folder}/broker"
broker_reload = ["true"]
join_url = "https://join.example:8884"
""")
        (folder / "cloud").mkdir()

    def says(self, *words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["--config", str(self.config), *words])


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    assert made.says("ca", "init").exit_code == 0
    return made


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_brokers_and_the_clouds_files(office: Office) -> None:
    done = office.says("ca", "broker", "--name", "broker.example", "--name", "10.0.0.1")
    assert done.exit_code == 0, done.stderr
    assert modes(office.folder / "broker") == {
        "acl": 0o644,
        "broker.crt": 0o644,
        "broker.key": 0o640,
        "ca.crt": 0o644,
        "crl.pem": 0o644,
    }
    assert office.says("ca", "cloud").exit_code == 0
    assert modes(office.folder / "cloud") == {"ca.pem": 0o644, "cloud.pem": 0o600}
    pem = (office.folder / "cloud/cloud.pem").read_bytes()
    assert certs.read(pem).name == "vend-cloud"
    assert certs.is_signed_by(pem, (office.folder / "broker/ca.crt").read_bytes())


def test_a_folder_to_carry_to_a_machine(office: Office) -> None:
    folder = office.folder / "carried"
    assert office.says("provision", "m1", "--to", str(folder)).stdout == f"{folder}\n"
    assert modes(folder) == {"ca.pem": 0o644, "machine.pem": 0o600}
    pem = (folder / "machine.pem").read_bytes()
    assert certs.der(certs.read_key(pem).public_key()) == certs.read(pem).public_key
    csr = office.folder / "m2.csr"
    csr.write_bytes(request("m2"))
    assert office.says("provision", "m2", "--to", str(folder), "--request", str(csr)).exit_code == 0
    pem = (folder / "machine.pem").read_bytes()
    assert certs.read(pem).name == "m2"
    assert b"PRIVATE" not in pem


def test_an_invitation_is_one_line_to_type(office: Office) -> None:
    (line,) = office.says("invite", "m1", "--valid", "30m").stdout.splitlines()
    program, command, url, typed = line.split(" ")
    assert (program, command, url) == ("vend-edge", "join", "https://join.example:8884")
    public = certs.read((office.folder / "data/ca/ca.crt").read_bytes()).public_key
    assert join_code.read(typed).fingerprint == join_code.fingerprint(public)
    (row,) = json.loads(office.says("identities", "--json").stdout)
    assert (row["name"], row["state"]) == ("m1", "invited")


def test_identities_as_a_table(office: Office) -> None:
    assert json.loads(office.says("identities", "--json").stdout) == []
    office.says("provision", "m1", "--to", str(office.folder / "m1"))
    shown = office.says("identities").stdout
    assert all(word in shown for word in ("m1", "good", "provision"))


def test_a_revocation_that_the_broker_could_not_hear_is_kept_and_said(office: Office) -> None:
    office.says("provision", "m1", "--to", str(office.folder / "m1"))
    done = office.says("revoke", "m1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "could not be asked" in done.stderr
    assert "user m1\ntopic deny #" in (office.folder / "broker/acl").read_text()
    (row,) = json.loads(office.says("identities", "--json").stdout)
    assert row["state"] == "revoked"
    done = office.says("provision", "m1", "--to", str(office.folder / "m1"))
    assert done.exit_code == 0
    assert "user m1" not in (office.folder / "broker/acl").read_text(), "it has its rights back"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("ca init", 1, "already"),
        ("ca broker", 2, "--name"),
        ("provision M1", 1, "no machine's name"),
        ("provision vend-cloud", 1, "the cloud's own name"),
        ("provision m1 --request /nowhere.csr", 1, "/nowhere.csr"),
        ("provision m1 --to /proc/x", 1, "/proc/x"),
        ("invite m/1", 1, "no machine's name"),
        ("invite m1 --valid 0h", 2, "such as 24h"),
        ("invite m1 --valid 1y", 2, "such as 24h"),
        ("revoke m9", 1, "is the name right"),
    ],
)
def test_mistakes_in_words(office: Office, words: str, code: int, says: str) -> None:
    done = office.says(*words.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr
    assert json.loads(office.says("identities", "--json").stdout) == []


def test_without_an_authority_or_an_address(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for words in (("provision", "m1"), ("invite", "m1"), ("ca", "cloud"), ("signer",)):
        done = office.says(*words)
        assert done.exit_code == 1, words
        assert "vend-cloud ca init" in done.stderr, words
    office.config.write_text(f'data_dir = "{tmp_path}/data"\n')
    assert "join_url" in office.says("invite", "m1").stderr
    office.says("ca", "init")
    assert "set [mqtt.tls]" in office.says("ca", "cloud").stderr
