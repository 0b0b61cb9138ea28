"""What a customer typed at a screen: a slot, its number, or a claim code."""

from collections.abc import Mapping
from typing import Final

from edge.sale.events import ClaimEntered, SlotSelected

CLAIM_DIGITS: Final = 10


def chosen(typed: str, items: Mapping[str, int]) -> SlotSelected | ClaimEntered | None:
    """`items`: the number of each slot. None: it is nothing of this machine. A slot's name goes before
    another slot's number; a claim code may be typed with its hyphen and with spaces.
    """
    typed = typed.strip()
    if typed in items:
        return SlotSelected(typed)
    digits = typed.replace("-", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == CLAIM_DIGITS:
        return ClaimEntered(digits)
    slot = next((slot for slot, item in items.items() if item == int(digits)), None)
    return None if slot is None or typed != digits else SlotSelected(slot)
