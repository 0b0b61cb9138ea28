"""How a machine makes sure of whom it speaks with."""

import ssl
from pathlib import Path
from typing import Final

from shared.clock import Trust

_NO_CHECK_TIME: Final = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for


def trusting(ca: Path, trust: Trust) -> ssl.SSLContext:
    """This authority and no other. Raises OSError (ssl.SSLError is one) without its file.

    Dates count only where the clock is right. A board that wakes up in 1970 would else never again speak with
    anybody who could tell it the time; authority and name are checked all the same.
    """
    context = ssl.create_default_context(cafile=ca)
    if trust != "synced":
        context.verify_flags |= _NO_CHECK_TIME
    return context
