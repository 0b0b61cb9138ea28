"""Raw values of a peripheral's coin and bill types in minor units (MDB/ICP 4.2 §5.3, §6.3)."""

from collections.abc import Sequence

TOKEN = 0xFF  # a type that is worth one vend, not money


def scaled_minor(
    credits_raw: Sequence[int], scale: int, decimals: int, minor_exponent: int
) -> tuple[int, ...] | None:
    """Values in minor units, or None where one is no whole number of them.

    Tokens and unused types are worth nothing.
    """
    tens = 10 ** abs(minor_exponent - decimals)
    multiply, divide = (tens, 1) if minor_exponent >= decimals else (1, tens)
    scaled = [0 if raw == TOKEN else raw * scale * multiply for raw in credits_raw]
    if any(value % divide for value in scaled):
        return None
    return tuple(value // divide for value in scaled)
