"""Judging a price list from the cloud: taken whole or refused whole, with a reason a person can use."""

from collections.abc import Collection
from typing import Final

from pydantic import ValidationError

from shared.fields import explain
from shared.messages import PriceList, PricesRefused

MAX_BYTES: Final = 64 * 1024


def judge(payload: bytes, latest: PriceList, slots: Collection[str]) -> PriceList | PricesRefused | None:
    """The list to put in force, or why not, or None when there is nothing to do.

    `latest` is the newest list this machine took, in force or waiting for the customer to leave. The same
    list again is nothing new: a retained topic repeats itself at every connect.
    """
    if not payload:
        return PricesRefused(version=None, reason="empty message: prices are never cleared")
    if len(payload) > MAX_BYTES:
        return PricesRefused(
            version=None, reason=f"{len(payload)} bytes; a price list has at most {MAX_BYTES}"
        )
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
    elif unknown := sorted({*prices.prices, *prices.card_prices} - set(slots)):
        reason = f"slot {unknown[0]} does not exist in this machine"
    elif missing := sorted(set(slots) - set(prices.prices)):
        reason = f"slot {missing[0]} has no price"
    return PricesRefused(version=prices.version, reason=reason) if reason else prices
