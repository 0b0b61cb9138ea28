"""One thing that `vend-edge doctor` looked at: a level, a stable code, words, and what to do about it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Check:
    """warning: the machine sells, and somebody should look. trouble: something of it does not work."""

    level: Literal["ok", "warning", "trouble"]
    code: str
    words: str
    todo: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        line = f"{self.level:8} {self.code:20} {self.words}"
        return f"{line}\n{'':30}-> {self.todo}" if self.todo else line


def ok(code: str, words: str) -> Check:
    return Check("ok", code, words)


def warning(code: str, words: str, todo: str) -> Check:
    return Check("warning", code, words, todo)


def trouble(code: str, words: str, todo: str) -> Check:
    return Check("trouble", code, words, todo)
