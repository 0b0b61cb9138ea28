"""A card reader that takes no cards: a rule a reason, as the machine words them (`edge/sale/tenders.py`)."""

from typing import Final

from deploy.grafana.alerts.rule import TECHNICIAN, M, Rule
from deploy.grafana.parts import each_last

NO_NETWORK: Final = "^card reader has no network"
BROKEN: Final = "^card reader (is out of order|is jammed)"
NO_ANSWER: Final = "^card reader (does not answer|is not connected|was unplugged|cannot be reached)"
_KNOWN: Final = f"{NO_NETWORK}|{BROKEN}|{NO_ANSWER}"


def _card(reasons: str, negated: str = "") -> str:
    """1 for each machine whose reader is off for one of these reasons, as the machine words them."""
    last = each_last(("card", "card_why"), "machine_now", "$timeFilter", "machine")
    other = f' AND "card_why" !~ /{negated}/' if negated else ""
    return f'SELECT 1 - "card" FROM {last} WHERE "card_why" =~ /{reasons}/{other} GROUP BY "machine"'


CARD: Final = (
    Rule(
        "vend-card-network",
        "Card reader offline: no network",
        _card(NO_NETWORK),
        0,
        "10m",
        f"The card reader of {M} has no network of its own; cash is taken.",
        "Look at its SIM and antenna; if it stays, call its provider.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-broken",
        "Card reader offline: out of order",
        _card(BROKEN),
        0,
        "5m",
        f"The card reader of {M} says that it is out of order or jammed; cash is taken.",
        "Take out what is stuck, restart it; if it stays, have it exchanged.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-no-answer",
        "Card reader offline: no answer",
        _card(NO_ANSWER),
        0,
        "5m",
        f"The card reader of {M} does not answer at its cable; cash is taken.",
        "Look at its MDB cable, its power and the adapter.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-other",
        "Card reader offline: another reason",
        _card("^card reader ", _KNOWN),
        0,
        "10m",
        f"The card reader of {M} takes no cards; Machines says why.",
        "Read the reason in Machines; restart the reader.",
        TECHNICIAN,
        "vend-machines",
    ),
)
