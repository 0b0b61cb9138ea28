"""The plan as one TOML file for people: amounts in major units ("1.60" or 1.60), the rest as it is kept.

`read` raises PlanFileError with file and key for each mistake. What `written` writes, `read` reads as the
same plan.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cloud.wanted.plan import Plan, Planogram
from shared import money

_MONEY_TABLES: Final = ("prices", "card_prices", "slot_prices", "card_slot_prices")
_HEAD: Final = """\
# What is wanted of every machine. `vend-cloud plan FILE` says what it would change, `vend-cloud apply FILE`
# does it.
"""


class PlanFileError(ValueError):
    """The file cannot be used; one line for each mistake, with its key."""


def read(path: Path) -> Plan:
    """Raises PlanFileError."""
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file, parse_float=Decimal)
    except OSError as error:
        raise PlanFileError(f"{path}: cannot be read ({error.strerror}); name the plan's file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanFileError(f"{path}: not TOML: {error}") from None
    mistakes: list[str] = []
    ready = _with_minor_units(raw, mistakes)
    if mistakes:
        raise PlanFileError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    try:
        return Plan.model_validate_json(json.dumps(ready, default=_plain))
    except ValidationError as error:
        lines = (f"{path}: {_where(e['loc'])}{_said(e)}" for e in error.errors(include_url=False))
        raise PlanFileError("\n".join(lines)) from None


def _where(loc: tuple[int | str, ...]) -> str:
    key = ".".join(str(part) for part in loc)
    return f"{''.join(c if c.isprintable() else '?' for c in key)[:120]}: " if key else ""


def _said(error: Any) -> str:  # noqa: ANN401  # pydantic's own dictionary
    if error["type"] == "extra_forbidden":
        return "is no key of a plan; correct or remove it"
    return str(error["msg"]).removeprefix("Value error, ")


def _plain(value: object) -> str:
    if isinstance(value, date | Decimal):
        return str(value)
    raise PlanFileError(f"{value!r} is nothing that a plan has")  # a time of day, which is written in quotes


# --- in -----------------------------------------------------------------------------------------------------


def _with_minor_units(raw: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """Products and planograms in the shape that is kept, and all amounts as integers."""
    ready = dict(raw)
    if isinstance(products := raw.get("products"), dict):
        ready["products"] = {name: {"name": text} for name, text in products.items()}
    if isinstance(planograms := raw.get("planograms"), dict):
        ready["planograms"] = {name: {"slots": slots} for name, slots in planograms.items()}
    fleet = raw.get("fleet", {})
    fleet_currency = fleet.get("currency") if isinstance(fleet, dict) else None
    if "fleet" in raw:
        ready["fleet"] = _scope("fleet", fleet, fleet_currency, mistakes)
    groups = raw.get("groups", {})
    for part in ("groups", "machines"):
        scopes = raw.get(part)
        if isinstance(scopes, dict):
            ready[part] = {
                name: _scope(f"{part}.{name}", scope, _currency(scope, groups, fleet_currency), mistakes)
                for name, scope in scopes.items()
            }
    return ready


def _currency(scope: Any, groups: Any, fleet: Any) -> Any:  # noqa: ANN401  # not yet checked
    """Its own, that of its first group with one, or the fleet's; what it really is, the model says."""
    if not isinstance(scope, dict):
        return fleet
    mine = scope.get("groups", ())
    named: list[Any] = []
    if isinstance(groups, dict) and isinstance(mine, list):
        named = [groups.get(group) for group in mine if isinstance(group, str)]
    own = (s["currency"] for s in (scope, *named) if isinstance(s, dict) and "currency" in s)
    return next(own, fleet)


def _scope(where: str, raw: Any, currency: Any, mistakes: list[str]) -> Any:  # noqa: ANN401  # not yet checked
    if not isinstance(raw, dict):
        return raw
    amounts = _Amounts(currency, mistakes)
    ready = amounts.tables(where, raw)
    amounts.rename(where, ready, "largest_note", "largest_note_minor")
    if isinstance(schedules := raw.get("schedules"), list):
        ready["schedules"] = [
            amounts.schedule(f"{where}.schedules.{n}", schedule) for n, schedule in enumerate(schedules)
        ]
    return ready


class _Amounts:
    """Amounts of one scope; what is no amount is a mistake with its key."""

    def __init__(self, currency: Any, mistakes: list[str]) -> None:  # noqa: ANN401  # not yet checked
        self._currency = currency
        self._mistakes = mistakes

    def tables(self, where: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: {name: self._minor(f"{where}.{key}.{name}", amount) for name, amount in value.items()}
            if key in _MONEY_TABLES and isinstance(value, dict)
            else value
            for key, value in raw.items()
        }

    def rename(self, where: str, ready: dict[str, Any], name: str, minor_name: str) -> None:
        if name in ready:
            ready[minor_name] = self._minor(f"{where}.{name}", ready.pop(name))

    def schedule(self, where: str, raw: Any) -> Any:  # noqa: ANN401  # not yet checked
        if not isinstance(raw, dict):
            return raw
        ready = self.tables(where, raw)
        self.rename(where, ready, "round_down_to", "step_minor")
        return ready

    def _minor(self, where: str, amount: Any) -> int:  # noqa: ANN401  # not yet checked
        if not isinstance(self._currency, str):
            self._mistakes.append(f"{where}: in which currency? Set fleet.currency")
        elif isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
            self._mistakes.append(f"{where}: {amount!r} is not an amount; write it like 1.50")
        else:
            try:
                return money.parse(str(amount), self._currency)
            except ValueError as error:
                self._mistakes.append(f"{where}: {error}")
        return 0


# --- out ----------------------------------------------------------------------------------------------------


def written(plan: Plan) -> str:
    """The file, with everything that was set and nothing else."""
    return "\n".join((_HEAD, *_lines(plan)))


def _lines(plan: Plan) -> Iterator[str]:
    if plan.products:
        yield from _table("products", {name: product.name for name, product in plan.products.items()})
    for name, planogram in plan.planograms.items():
        yield from _table(f"planograms.{_key(name)}", _planogram(planogram))
    fleet_currency = plan.fleet.currency
    for where, scope in plan.scopes():
        part, _, name = where.partition(".")
        chain = plan.chain(name) if part == "machines" else (scope,)
        currency = next((s.currency for s in chain if s.currency), fleet_currency)
        ready = scope.model_dump(mode="json", exclude_defaults=True)
        if ready or part != "fleet":
            yield from _scope_lines(f"{part}.{_key(name)}" if name else part, ready, currency or "")


def _planogram(planogram: Planogram) -> dict[str, Any]:
    return {slot: plan.model_dump(exclude_defaults=True) for slot, plan in planogram.slots.items()}


def _scope_lines(where: str, ready: dict[str, Any], currency: str) -> Iterator[str]:
    schedules = ready.pop("schedules", None)
    tables = {key: ready.pop(key) for key in (*_MONEY_TABLES, "tenders_off") if key in ready}
    if "largest_note_minor" in ready:
        ready["largest_note"] = _amount(ready.pop("largest_note_minor"), currency)
    if schedules == []:
        ready["schedules"] = []
    yield from _table(where, ready)
    for key, table in tables.items():
        yield from _table(f"{where}.{key}", _amounts(table, currency) if key in _MONEY_TABLES else table)
    for schedule in schedules or ():
        if "step_minor" in schedule:
            schedule["round_down_to"] = _amount(schedule.pop("step_minor"), currency)
        for key in _MONEY_TABLES:
            if key in schedule:
                schedule[key] = _amounts(schedule[key], currency)
        yield f"[[{where}.schedules]]"
        yield from (f"{key} = {_value(value)}" for key, value in schedule.items())
        yield ""


def _amounts(table: Mapping[str, int], currency: str) -> dict[str, str]:
    return {name: _amount(minor, currency) for name, minor in table.items()}


def _amount(minor: int, currency: str) -> str:
    return money.text(minor, currency).partition(" ")[0]


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"{_key(key)} = {_value(value)}" for key, value in values.items())
    yield ""


def _key(name: str) -> str:
    """A name with a dot in it is one key only in quotes."""
    return _value(name) if "." in name else name


def _value(value: object) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(_value(v) for v in value) + "]"
        case int():
            return str(value)
    return json.dumps(value, ensure_ascii=False)  # TOML's basic strings escape as JSON's do
