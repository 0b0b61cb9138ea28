"""Whether a peripheral answers, and when an absent one is tried again (MDB/ICP 4.2 appendix 3)."""

from edge.mdb.peripheral import RESET_RETRY_S


class Presence:
    """online is what the sale was told last: None before the first word."""

    def __init__(self, non_response_s: float) -> None:
        self._non_response_s = non_response_s
        self._silent_since_s: float | None = None
        self.online: bool | None = None

    def heard(self) -> None:
        self._silent_since_s = None

    def silent_too_long(self, now_s: float) -> bool:
        """One more question was not answered."""
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        return now_s - self._silent_since_s >= self._non_response_s

    def lose(self, now_s: float) -> tuple[bool, float]:
        """Whether that is news, and when to begin anew: at once, then in the rhythm of an absent one."""
        news = self.online is not False
        retry_s = now_s if self.online else now_s + RESET_RETRY_S
        self.online = False
        self._silent_since_s = None
        return news, retry_s
