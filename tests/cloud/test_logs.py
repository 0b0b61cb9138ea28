"""Log lines: whatever is in them, one record is one line, and programs can read it."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud import logs
from cloud.batch import Arrived
from cloud.config import CloudSettings
from tests.cloud.records import arrived, sale
from tests.cloud.test_ingest import Parts, process

HOSTILE = st.text() | st.sampled_from(
    ["m1\nERROR cloud.app: forged", "\r\x1b[2J", "\u2028x", "\x85", "\ud800"]
)


def line(style: logs.Style, text: str, *, terminal: bool = False, **fields: object) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.formatter(style, terminal=terminal))
    record = logging.makeLogRecord(
        {"name": "cloud.app", "levelname": "WARNING", "msg": "of %s", "args": (text,), **fields}
    )
    handler.emit(record)
    return out.getvalue()


@given(HOSTILE, st.sampled_from(["json", "words"]))
def test_nothing_forges_a_line(text: str, style: logs.Style) -> None:
    written = line(style, text, machine=text)
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    assert all(c.isprintable() for c in written[:-1])


@given(HOSTILE)
def test_json_has_the_sentence_and_the_fields(text: str) -> None:
    read = json.loads(line("json", text, machine=text, code="bad_body", count=3))
    assert read.pop("at").startswith("20")
    assert read == {
        "level": "WARNING",
        "part": "cloud.app",
        "message": f"of {text}",
        "machine": text,
        "code": "bad_body",
        "count": 3,
    }


@pytest.mark.parametrize(
    ("style", "terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("words", False, False)],
)
def test_who_gets_which(style: logs.Style, terminal: bool, is_json: bool) -> None:
    assert line(style, "x", terminal=terminal).startswith("{") == is_json


def test_a_trace_is_in_the_object_and_readable_in_words() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        error = sys.exc_info()
    assert "Traceback" in json.loads(line("json", "x", exc_info=error))["exc_info"]
    assert line("words", "x", exc_info=error).splitlines()[-2:] == ["ValueError: first", "second"]


def test_dead_letters_are_told_once_a_machine_and_code_and_without_their_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = [sale("m1", seq, product="secret=!") for seq in range(1, 4)]
    process(
        Parts(),
        arrived("m1", *bad, sale("m1", 9, v=9)),
        Arrived("vend/v1/m1\nERROR/sale", b"hostile", 1, False, 1),
    )
    told = [
        (r.levelname, *(vars(r)[n] for n in ("machine", "topic", "code", "count"))) for r in caplog.records
    ]
    assert told == [
        ("WARNING", "m1", "sale", "bad_body", 3),
        ("WARNING", "m1", "sale", "unsupported_version", 1),
        ("WARNING", None, None, "unknown_topic", 1),
    ]
    assert "secret" not in caplog.text
    assert "hostile" not in caplog.text
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize("listen", ["127.0.0.1:9108", "[::1]:9108", "127.1.2.3:1"])
def test_health_listens_on_loopback(listen: str) -> None:
    settings = CloudSettings.model_validate({"data_dir": "x", "health": {"listen": listen}})
    assert settings.health.address is not None
    assert listen == "{}:{}".format(
        f"[{settings.health.address[0]}]"
        if ":" in settings.health.address[0]
        else settings.health.address[0],
        settings.health.address[1],
    )


@pytest.mark.parametrize(
    "listen",
    ["0.0.0.0:9108", "9108", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "example.org:1", "u@127.0.0.1:1",
     "127.0.0.1:1/x", "[::]:1", "[::1:1", "192.168.1.1:9108", ""],
)  # fmt: skip
def test_health_listens_nowhere_else(listen: str) -> None:
    with pytest.raises(ValueError, match=r"such as 127\.0\.0\.1:9108"):
        CloudSettings.model_validate({"data_dir": "x", "health": {"listen": listen}})
