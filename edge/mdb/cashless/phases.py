"""Where the cashless reader's driver may be, where an answer leads, how long it waits (MDB/ICP 4.2 §7)."""

from enum import Enum, auto

NON_RESPONSE_S = 5.0  # the longest a working reader is silent, unless its configuration says more
START_LIMIT_S = 30.0  # appendix 3: longest wait for requested data
AUTHORISE_LIMIT_S = 120.0  # a customer finds a card and types a number; a reader gives up sooner by itself
REPOLL_S = 0.020  # appendix 3: poll again so soon after an event
MAX_REPOLLS = 3  # a reader that says the same for ever does not keep commands waiting
MAX_CASH_SALES = 32  # that wait to be reported
MAX_START_REQUESTS = 3  # of what can be done without


class StartPhase(Enum):
    """The initialisation, in order. VOID is for a vend whose end nobody has heard."""

    VOID = auto()
    AWAIT_VOID = auto()
    RESET = auto()
    AWAIT_RESET = auto()
    SETUP = auto()
    AWAIT_CONFIG = auto()
    PRICES = auto()
    ID = auto()
    AWAIT_ID = auto()
    OPTIONS = auto()
    WIDE_PRICES = auto()
    DONE = auto()


VOIDING = {StartPhase.VOID, StartPhase.AWAIT_VOID}
START_AFTER_ANSWER = {
    StartPhase.VOID: StartPhase.AWAIT_VOID,
    StartPhase.RESET: StartPhase.AWAIT_RESET,
    StartPhase.SETUP: StartPhase.AWAIT_CONFIG,
    StartPhase.PRICES: StartPhase.ID,
    StartPhase.ID: StartPhase.AWAIT_ID,
    StartPhase.WIDE_PRICES: StartPhase.DONE,
}
# What can be done without, after some silence: nobody is there, or an old reader does not know it.
START_WITHOUT_ANSWER = {StartPhase.VOID: StartPhase.RESET, StartPhase.ID: StartPhase.DONE}


class Phase(Enum):
    """The session."""

    IDLE = auto()  # the reader is Disabled or Enabled
    OPEN = auto()  # its Session Idle
    VEND = auto()
    COMPLETE = auto()
    AWAIT_END = auto()
    READER_CANCEL = auto()
    AWAIT_CANCELLED = auto()
    LIMIT = auto()
    AWAIT_LIMIT = auto()
    REVALUE = auto()
    AWAIT_REVALUE = auto()


AFTER_ANSWER = {
    Phase.COMPLETE: Phase.AWAIT_END,
    Phase.READER_CANCEL: Phase.AWAIT_CANCELLED,
    Phase.LIMIT: Phase.AWAIT_LIMIT,
    Phase.REVALUE: Phase.AWAIT_REVALUE,
}
# What is never repeated when no answer came; all other commands are, in turn with POLL.
AFTER_SILENCE = {Phase.REVALUE: Phase.AWAIT_REVALUE}
# Here the reader owes an answer, as soon as its configuration promises.
AWAITING = {Phase.AWAIT_END, Phase.AWAIT_CANCELLED, Phase.AWAIT_LIMIT, Phase.AWAIT_REVALUE}
ENDING = {Phase.COMPLETE, Phase.AWAIT_END}
NO_SESSION = {Phase.IDLE, Phase.READER_CANCEL, Phase.AWAIT_CANCELLED}


class VendPhase(Enum):
    """One vend. IN_DOUBT: the command's answer did not come, and a POLL is to tell more."""

    REQUEST = auto()
    AWAIT_RESULT = auto()
    CANCEL = auto()
    AWAIT_DENIED = auto()
    APPROVED = auto()  # the motor runs
    SUCCESS = auto()
    SUCCESS_IN_DOUBT = auto()
    FAILURE = auto()
    FAILURE_IN_DOUBT = auto()
    REFUND = auto()
    OVER = auto()


VEND_AFTER_ANSWER = {
    VendPhase.REQUEST: VendPhase.AWAIT_RESULT,
    VendPhase.CANCEL: VendPhase.AWAIT_DENIED,
    VendPhase.SUCCESS: VendPhase.OVER,
    VendPhase.FAILURE: VendPhase.REFUND,
}
VEND_AFTER_SILENCE = {
    VendPhase.SUCCESS: VendPhase.SUCCESS_IN_DOUBT,
    VendPhase.FAILURE: VendPhase.FAILURE_IN_DOUBT,
}
VEND_AWAITING = {VendPhase.AWAIT_DENIED, VendPhase.REFUND}
ASKED = {VendPhase.REQUEST, VendPhase.AWAIT_RESULT}
CANCELLING = {VendPhase.CANCEL, VendPhase.AWAIT_DENIED}
REFUNDING = {VendPhase.FAILURE, VendPhase.FAILURE_IN_DOUBT, VendPhase.REFUND}
