"""How a control has been doing, and when to ask it again."""

_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 300.0
_MOST_DOUBLINGS = 5


class Health:
    """One control's record; times are boot seconds."""

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self.last_failure = ""
        self._not_before_s = 0.0

    def is_ready(self, now_s: float) -> bool:
        """Tell whether it may be asked."""
        return now_s >= self._not_before_s

    def succeed(self) -> None:
        """Note that it answered."""
        self.failures = 0
        self.last_failure = ""
        self._not_before_s = 0.0

    def fail(self, failure: str, now_s: float, *, retry_after_s: float = 0.0) -> None:
        """Note that it did not; it is left alone for a while, as long as it asks for if it does."""
        self.failures += 1
        self.last_failure = failure
        pause_s = _FIRST_PAUSE_S * 2 ** min(self.failures - 1, _MOST_DOUBLINGS)
        self._not_before_s = now_s + min(max(pause_s if not retry_after_s else 0.0, retry_after_s), _LONGEST_PAUSE_S)
