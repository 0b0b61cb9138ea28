"""Values of options: text from a person becomes a number, or an error that says how to write it. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

import click

NS: Final = 10**9
_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SIZES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_SLOWEST, _FASTEST = 0.001, 1e6
MAX_SPEED: Final = 0.0  # as fast as it goes


def duration_ns(_context: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """From `90`, `1.5s`, `2m`, `1h30m`."""
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise click.BadParameter(f"{text!r} is no time; write 90, 1.5s, 2m or 1h30m")
    return round(sum(float(number) * _UNITS_S[unit] for number, unit in parts) * NS)


def moment(context: click.Context, param: click.Parameter, text: str | None) -> int | datetime | None:
    """Nanoseconds from the start, or a date: `2026-01-31T12:00:00Z`, UTC where it names no zone."""
    if text is None or "T" not in text:
        return duration_ns(context, param, text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 90s, 1h30m or 2026-01-31T12:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def size_bytes(_context: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """From `500k`, `64M`, `1G`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)([kMG]?)", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no size; write 500k, 64M or 1G")
    return int(match[1]) * _SIZES[match[2]]


def speed(_context: click.Context, _param: click.Parameter, text: str) -> float:
    """From `0.1`, `10`, or `max`, which is MAX_SPEED."""
    if text == "max":
        return MAX_SPEED
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _SLOWEST <= value <= _FASTEST:
        raise click.BadParameter(f"{text!r} is no speed; write 0.1, 1, 10 or max")
    return value


def pairs(_context: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """From OLD=NEW, several of them."""
    names: dict[str, str] = {}
    for pair in given:
        old, is_pair, new = pair.partition("=")
        if not is_pair or old in names:
            raise click.BadParameter(f"{pair!r}: write OLD=NEW, each machine once")
        names[old] = new
    return names
