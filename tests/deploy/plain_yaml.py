"""The part of YAML that compose.yaml keeps to, and nothing else: what YAML would guess is an error here.

Maps by two spaces, lists of scalars by "- ", values as JSON or as words that mean themselves, `&name` and
`<<: *name`. So nobody's `no`, `8883:22` or `1e3` becomes something that he did not write.
"""

import json
import re
from typing import Any

_LINE = re.compile(r"(?P<indent>(?:  )*)(?:- (?P<item>.+)|(?P<key><<|[A-Za-z_][\w-]*):(?: (?P<value>.+))?)")
_WORD = re.compile(r"\d+s|(?!(?:yes|no|on|off|true|false|null|~)$)[A-Za-z./$][\w./${}:?,'=@ -]*")
_NUMBER = re.compile(r"[1-9]\d*")


def parse(text: str) -> Any:  # noqa: ANN401  # whatever the file holds
    """Raises ValueError with the line."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    value, left = _block(lines, 0, {})
    if left:
        raise ValueError(f"line {left[0][0]}: indented otherwise than what stands above it")
    return value


def _block(
    lines: list[tuple[int, str]], depth: int, named: dict[str, Any]
) -> tuple[Any, list[tuple[int, str]]]:
    found: Any = None
    own: set[str] = set()  # what was merged in may be said otherwise
    while lines:
        number, line = lines[0]
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number}: {line!r}")
        if len(match["indent"]) != 2 * depth:
            break
        lines = lines[1:]
        if match["item"]:
            found = [] if found is None else found
            found.append(_scalar(number, match["item"]))
            continue
        found = {} if found is None else found
        key, value = match["key"], match["value"]
        if key in own:
            raise ValueError(f"line {number}: {key} stands here twice")
        own.add(key)
        if key == "<<":
            found |= named[str(value).removeprefix("*")]
        elif value is None or value.startswith("&"):
            inner, lines = _block(lines, depth + 1, named)
            found[key] = inner
            if value:
                named[value[1:]] = inner
        else:
            found[key] = _scalar(number, value)
    return found, lines


def _scalar(number: int, text: str) -> Any:  # noqa: ANN401  # JSON or a word
    if text[0] in '"[{' or text in {"true", "false"} or _NUMBER.fullmatch(text):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError(f"line {number}: {text} is no JSON") from None
    if not _WORD.fullmatch(text):
        raise ValueError(f"line {number}: quote {text!r}")
    return text
