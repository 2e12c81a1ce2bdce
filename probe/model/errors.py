"""The errors that cross rooms. The network's failures are not among them: they are `Failure` values."""


class UserError(Exception):
    """Somebody gave us input that we cannot use: one clear line, exit code 2, no traceback."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy


class ProtocolError(Exception):
    """The peer spoke nonsense. The message quotes received bytes only, never ours."""
