"""Judging what the cloud wants, a price list or a config: taken whole or refused whole, with a reason a
person can use. Nothing is ever cleared, and versions only go up.
"""

from collections.abc import Collection
from typing import Final

from pydantic import ValidationError

from shared.fields import explain
from shared.messages import Config, ConfigRefused, PriceList, PricesRefused

MAX_BYTES: Final = 64 * 1024


def judge(payload: bytes, latest: PriceList, slots: Collection[str]) -> PriceList | PricesRefused | None:
    """The list to put in force, or why not, or None when there is nothing to do.

    `latest` is the newest list this machine took, in force or waiting for the customer to leave. The same
    list again is nothing new: a retained topic repeats itself at every connect.
    """
    if reason := _unread(payload, "prices are", "a price list"):
        return PricesRefused(version=None, reason=reason)
    try:
        prices = PriceList.model_validate_json(payload)
    except ValidationError as error:
        return PricesRefused(version=None, reason=explain(error)[:200])
    if prices == latest:
        return None
    reason = ""
    if prices.version <= latest.version:
        reason = f"version {prices.version} is not newer than {latest.version}"
    elif prices.currency != latest.currency:
        reason = f"currency {prices.currency}; this machine sells in {latest.currency}"
    elif unknown := sorted(_priced(prices) - set(slots)):
        reason = f"slot {unknown[0]} does not exist in this machine"
    elif missing := sorted(set(slots) - set(prices.prices)):
        reason = f"slot {missing[0]} has no price"
    return PricesRefused(version=prices.version, reason=reason) if reason else prices


def _priced(prices: PriceList) -> set[str]:
    scheduled = (slot for schedule in prices.schedules for slot in (*schedule.slots, *schedule.prices))
    return {*prices.prices, *prices.card_prices, *scheduled}


def judge_config(
    payload: bytes, latest: Config | None, slots: Collection[str], groups: Collection[str]
) -> Config | ConfigRefused | None:
    """The same for a config. `slots` and `groups` are those of the settings: a config moves no motor."""
    if reason := _unread(payload, "a config is", "a config"):
        return ConfigRefused(version=None, reason=reason)
    try:
        config = Config.model_validate_json(payload)
    except ValidationError as error:
        return ConfigRefused(version=None, reason=explain(error)[:200])
    if config == latest:
        return None
    version = latest.version if latest else 0
    plans = config.slots if config.slots is not None else dict.fromkeys(slots)
    named = {plan.group for plan in plans.values() if plan and plan.group is not None}
    reason = ""
    if config.version <= version:
        reason = f"version {config.version} is not newer than {version}"
    elif unknown := sorted(set(plans) - set(slots)):
        reason = f"slot {unknown[0]} does not exist in this machine"
    elif missing := sorted(set(slots) - set(plans)):
        reason = f"slot {missing[0]} is not planned"
    elif strange := sorted(named - set(groups)):
        reason = f"product group {strange[0]} is not watched by this machine"
    return ConfigRefused(version=config.version, reason=reason) if reason else config


def _unread(payload: bytes, they: str, it: str) -> str:
    if not payload:
        return f"empty message: {they} never cleared"
    if len(payload) > MAX_BYTES:
        return f"{len(payload)} bytes; {it} has at most {MAX_BYTES}"
    return ""
