"""Money is an integer of minor units plus an ISO 4217 code. No float comes near it."""

from decimal import Decimal, InvalidOperation
from typing import Final

# ISO 4217 currencies whose minor unit is not 1/100.
_EXPONENTS: Final = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_DEFAULT_EXPONENT: Final = 2


def exponent(currency: str) -> int:
    """Digits after the decimal point of a currency (ISO 4217)."""
    return _EXPONENTS.get(currency, _DEFAULT_EXPONENT)


def amount(amount_minor: int, currency: str) -> str:
    """Major units, all digits: `amount(150, "EUR") == "1.50"`."""
    return f"{Decimal(amount_minor).scaleb(-exponent(currency)):f}"


def text(amount_minor: int, currency: str) -> str:
    """An amount as people write it: `text(150, "EUR") == "1.50 EUR"`."""
    return f"{amount(amount_minor, currency)} {currency}"


def parse(amount: str, currency: str) -> int:
    """Minor units of an amount in major units, such as "1.50".

    Raises ValueError, in words for the person who typed it, when it is no amount of that currency.
    """
    digits = exponent(currency)
    try:
        minor = Decimal(amount.strip()).scaleb(digits)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount; write it like 1.50") from None
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise ValueError(f"{amount!r} is no whole number of {currency} minor units ({digits} decimals)")
    return int(minor)
