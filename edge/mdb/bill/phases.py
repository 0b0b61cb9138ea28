"""Where the bill validator's driver may be, what it sends there, and how long it waits (MDB/ICP 4.2 §6)."""

from enum import Enum, auto

from edge.mdb.bill.codes import POLL, RESET, SETUP, STACKER, bill_type, security
from edge.mdb.bill.recycler_codes import DISPENSE_STATUS, RECYCLER_SETUP

NON_RESPONSE_S = 5.0  # appendix 3: the longest a working validator is silent
REPOLL_S = 0.020  # appendix 3: poll again so soon after an event
REPEAT_WINDOW_S = 1.0  # no second note can be stacked so soon
START_LIMIT_S = 30.0  # appendix 3: longest wait for requested data
# A note that a killed process ordered to be stacked is on its way for up to 2 s, and some units say nothing
# while it is. RESET would give it back, or forget what the unit has not told yet.
DRAIN_QUIET_S = 3.0
DRAIN_LIMIT_S = 60.0  # an escrow order ends within 30 s, a note of a payout may take a little longer
STACKER_INTERVAL_S = 30.0  # the cashbox may be emptied without any report
DISABLED_LIMIT_S = 10.0  # a unit that was enabled and says otherwise for so long is enabled again
FRESH_S = 0.5  # so recent must the last answered POLL be when an escrow order leaves
OPTIONAL_TRIES = 3


class Phase(Enum):
    """Each phase has one block to send; some depend on what the validator is or on what is wanted."""

    PROBE = auto()
    DISABLE = auto()
    DRAIN = auto()
    RESET = auto()
    AWAIT_RESET = auto()
    SETUP = auto()
    IDENTITY = auto()
    FEATURES = auto()
    RECYCLER_SETUP = auto()
    RECYCLER_ENABLE = auto()
    RECYCLER_COUNT = auto()
    SECURITY = auto()
    STACKER = auto()
    BILL_TYPE = auto()
    READY = auto()


REQUESTS = {
    Phase.PROBE: SETUP,
    Phase.DISABLE: bill_type(0, escrow=False),
    Phase.DRAIN: POLL,
    Phase.RESET: RESET,
    Phase.AWAIT_RESET: POLL,
    Phase.SETUP: SETUP,
    Phase.RECYCLER_SETUP: RECYCLER_SETUP,
    Phase.RECYCLER_COUNT: DISPENSE_STATUS,
    Phase.SECURITY: security(0),
    Phase.STACKER: STACKER,
}
# What comes after a phase of the start that was answered; which ones are left out depends on the unit.
AFTER = {
    Phase.DISABLE: Phase.DRAIN,
    Phase.SETUP: Phase.IDENTITY,
    Phase.IDENTITY: Phase.FEATURES,
    Phase.FEATURES: Phase.RECYCLER_SETUP,
    Phase.RECYCLER_SETUP: Phase.RECYCLER_ENABLE,
    Phase.RECYCLER_ENABLE: Phase.RECYCLER_COUNT,
    Phase.RECYCLER_COUNT: Phase.SECURITY,
    Phase.SECURITY: Phase.STACKER,
    Phase.STACKER: Phase.BILL_TYPE,
}
# Units differ in what they know of these: passed over when the unit answers POLL but not the command.
OPTIONAL = {Phase.DISABLE, Phase.IDENTITY, Phase.FEATURES, Phase.SECURITY}
WORKING = {Phase.BILL_TYPE, Phase.READY}
