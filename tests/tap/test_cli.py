"""`vend-tap` as its user has it: what it prints, and how it ends."""

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from deploy.demo.servers import Broker
from shared import topics
from shared.capture import Message, read, read_header
from shared.tap.__main__ import main
from tests.tap.conftest import Write
from tests.tap.messages import START_NS, command, message, owed, records, sale, sales

S = 10**9


def tap(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


def prices(version: int) -> Message:
    said = {"v": 1, "version": version, "currency": "EUR", "prices": {"A1": 150}}
    return message("vend/v1/m1/prices", json.dumps(said).encode(), retain=True)


def test_a_capture_is_shown_in_lines_for_people_and_in_json(capture: Write) -> None:
    path = capture("c.mqtt.jsonl.gz", sales("m1", 1, 2), prices(3))
    shown = tap("show", path)
    assert shown.exit_code == 0
    first, second, third = shown.stdout.splitlines()
    assert "↑ m1 sale #1 sale slot=A1" in first
    assert "#2 sale" in second
    assert "↓ m1 prices v=1 version=3" in third
    as_json = [
        json.loads(line) for line in tap("show", path, "--json", "-t", "+/+/+/sale").stdout.splitlines()
    ]
    assert [(m["machine"], m["view"][1]["seq"], m["trouble"]) for m in as_json] == [("m1", 2, None)]


def test_colours_are_for_terminals_that_want_them(capture: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = capture("c.mqtt.jsonl", sales("m1", 1))
    runner = CliRunner()
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = runner.invoke(main, ["show", str(path)], color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    plain = runner.invoke(main, ["show", str(path)], color=True).stdout
    assert coloured != plain == click.unstyle(coloured)


def test_the_same_traffic_is_no_difference_and_another_is(capture: Write) -> None:
    a = capture("a.mqtt.jsonl", sales("m1", 1, 2))
    b = capture("b.mqtt.jsonl", sales("m1", 1), sales("m1", 2))
    c = capture("c.mqtt.jsonl", records(topics.SALE, "m1", sale("m1", 1), sale("m1", 2, price_minor=9)))
    same = tap("diff", a, b)
    assert (same.exit_code, same.stdout) == (0, "")
    other = tap("diff", a, c)
    assert other.exit_code == 1
    assert [line.split()[:3] for line in other.stdout.splitlines()] == [
        ["-", "vend/v1/m1/sale", "#2"],
        ["+", "vend/v1/m1/sale", "#2"],
    ]


def test_what_a_stock_client_wrote_differs_by_no_property(capture: Write, tmp_path: Path) -> None:
    one = sales("m1", 1)
    stock = tmp_path / "jam.txt"
    stock.write_text(f"1790000000.000000000 1 0 {one.topic} {one.payload.hex()}\n")
    same = tap("diff", capture("a.mqtt.jsonl", one), stock)
    assert (same.exit_code, same.stdout) == (0, "")
    assert "#1 sale" in tap("show", stock).stdout


def test_a_part_is_cut_out(capture: Write, tmp_path: Path) -> None:
    whole = capture("a.mqtt.jsonl", *(sales(f"m{n % 2}", n, t_ns=n * S) for n in range(1, 100)))
    out = tmp_path / "part.mqtt.jsonl.gz"
    assert tap("cut", whole, out, "--from", "10", "--until", "1m", "--machine", "m1").exit_code == 0
    assert [m.t_ns // S for m in read(out)] == list(range(11, 60, 2))
    assert read_header(out) == read_header(whole)
    at = "2026-09-21T14:13:30Z"  # ten seconds after the start
    assert START_NS == 1_790_000_000 * S
    dated = tap("cut", whole, tmp_path / "dated.mqtt.jsonl", "--from", at)
    assert dated.exit_code == 0
    assert next(read(tmp_path / "dated.mqtt.jsonl")).t_ns == 10 * S
    again = tap("cut", whole, out)
    assert again.exit_code == 1
    assert "name another file" in again.stderr


def test_machines_are_renamed_or_no_file_is_left(capture: Write, tmp_path: Path) -> None:
    path = capture("a.mqtt.jsonl", sales("m1", 1), command("m2"), sales("m3", 1))
    out = tmp_path / "b.mqtt.jsonl"
    assert tap("map", path, out, "m1=m2", "m2=m1").exit_code == 0
    assert [m.topic.split("/")[2] for m in read(out)] == ["m2", "m1", "m3"]
    assert tap("check", out).exit_code == 0
    refused = tap("map", path, tmp_path / "c.mqtt.jsonl", "m1=m3")
    assert refused.exit_code == 1
    assert "there is a m3 already" in refused.stderr
    assert not (tmp_path / "c.mqtt.jsonl").exists()
    assert tap("map", path, tmp_path / "c.mqtt.jsonl", "m1").exit_code == 2


def test_a_capture_is_held_against_the_contract(capture: Write) -> None:
    good = capture("a.mqtt.jsonl", sales("m1", 1), prices(3))
    said = tap("check", good)
    assert said.exit_code == 0
    assert re.search(r"never: .*event owed", said.stdout)
    assert "2 messages, 0 break the contract; 2 of its" in said.stdout
    bad = capture("b.mqtt.jsonl", sales("m1", 1), message("vend/v1/m1/sale", b"\xc1"))
    told = tap("check", bad, "--json")
    assert told.exit_code == 1
    assert [v["number"] for v in json.loads(told.stdout)["violations"]] == [2]


def test_damage_is_said_in_words(capture: Write, tmp_path: Path) -> None:
    path = capture("a.mqtt.jsonl", sales("m1", 1), sales("m1", 2))
    path.write_bytes(path.read_bytes().replace(b'"qos":1', b'"qos":7', 1))
    shown = tap("show", path)
    assert shown.exit_code == 1
    assert "line 2" in shown.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--speed", "0"],
        ["--speed", "fast"],
        ["--from", "ten"],
        ["--from", "2026-13-01T00:00"],
        ["--map", "m1"],
        ["--port", "99999"],
        ["--cert", "a.pem"],
    ],
    ids="_".join,
)
def test_what_cannot_be_meant_is_usage(capture: Write, wrong: list[str]) -> None:
    assert tap("replay", capture("a.mqtt.jsonl", sales("m1", 1)), *wrong).exit_code == 2


def test_replayed_recorded_and_shown_by_the_commands_alone(
    broker: Broker, capture: Write, tmp_path: Path
) -> None:
    original = capture("a.mqtt.jsonl", prices(3), sales("m1", 1), prices(4))
    at = ("--port", broker.port)
    played = tap("replay", original, *at, "--speed", "max", "--map", "m1=m9", "--json")
    assert played.exit_code == 0
    said = json.loads(played.stdout)
    assert (said["messages"], said["unheard"], said["unconfirmed"], said["refused"]) == (3, 3, 0, {})
    tailed = tap("tail", *at, "--count", "1", "--json")
    assert json.loads(tailed.stdout)["view"]["version"] == 4
    heard = tmp_path / "heard.mqtt.jsonl"
    assert tap("record", heard, *at, "--count", "1", "--view").exit_code == 0
    assert [(m.topic, m.retain) for m in read(heard)] == [("vend/v1/m9/prices", True)]
    about = read_header(heard).about
    assert about["filters"] == ["vend/v1/#"]
    assert "signatures of commands" in about["redacted"]
    assert json.loads(heard.read_text().splitlines()[1])["view"]["version"] == 4


def test_a_recording_is_redacted_unless_told_otherwise(
    broker: Broker, capture: Write, tmp_path: Path
) -> None:
    secret = message("vend/v1/m1/event", records(topics.EVENT, "m1", owed("m1", 1)).payload, retain=True)
    tap("replay", capture("a.mqtt.jsonl", secret), "--port", broker.port, "--speed", "max")
    for name, options, found in (("r", [], False), ("s", ["--with-secrets"], True)):
        out = tmp_path / f"{name}.mqtt.jsonl"
        assert tap("record", out, "--port", broker.port, "--count", "1", *options).exit_code == 0
        assert [b"483920" in m.payload for m in read(out)] == [found]
        assert bool(read_header(out).about["redacted"]) is not found


def test_settings_of_a_program_name_the_broker(broker: Broker, capture: Write, tmp_path: Path) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text(f'data_dir = "x"\n[mqtt]\nport = {broker.port}\n')
    path = capture("a.mqtt.jsonl", sales("m1", 1))
    assert tap("replay", path, "--config", config, "--speed", "max").exit_code == 0
    assert tap("replay", path, "--config", config, "--speed", "max", "--port", "9").exit_code == 1
    assert tap("replay", path, "--config", tmp_path / "none.toml").exit_code == 2
