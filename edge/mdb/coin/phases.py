"""Where the coin changer's driver may be, what it sends there, and how long it waits (MDB/ICP 4.2 §5)."""

from enum import Enum, auto

from edge.mdb.coin.codes import POLL, RESET, SETUP, TUBE_STATUS
from edge.mdb.coin.expansion import IDENTIFICATION

NON_RESPONSE_S = 2.0  # appendix 3: the longest a working changer is silent
RESET_TO_TUBE_STATUS_S = 0.5  # some changers count their tubes first
REPOLL_S = 0.020  # appendix 3: poll again so soon after an event
START_LIMIT_S = 30.0  # appendix 3: longest wait for requested data
PAYOUT_LIMIT_S = 60.0  # 15 coins take a slow changer 15 s
PROBE_TRIES = 3  # and then it may be one that answers nothing but RESET
EXPANSION_TRIES = 2  # a changer that does not know a block is silent, and an answer may be lost


class Phase(Enum):
    """Each phase has one block to send; the blocks that are not in REQUESTS depend on what is wanted."""

    PROBE = auto()
    DRAIN = auto()
    RESET = auto()
    AWAIT_RESET = auto()
    SETUP = auto()
    IDENTIFY = auto()
    FEATURES = auto()
    TUBES = auto()
    COIN_TYPE = auto()
    READY = auto()
    PAYING = auto()
    COUNT = auto()
    CONFIRM = auto()


REQUESTS = {
    Phase.PROBE: SETUP,
    Phase.DRAIN: POLL,
    Phase.RESET: RESET,
    Phase.AWAIT_RESET: POLL,
    Phase.SETUP: SETUP,
    Phase.IDENTIFY: IDENTIFICATION,
    Phase.TUBES: TUBE_STATUS,
    Phase.READY: POLL,
    Phase.COUNT: TUBE_STATUS,
    Phase.CONFIRM: POLL,
}
