"""The errors that cross rooms. The network's failures are not among them: they are `Failure` values."""


class UserError(Exception):
    """Somebody gave us input that we cannot use: one clear line, exit code 2, no traceback."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy


class CombinedUserError(UserError):
    """Several errors found in one reading: one line each, so that a person can mend them all at once."""

    def __init__(self, errors: tuple[UserError, ...]) -> None:
        first = errors[0]
        super().__init__(first.where, first.what, first.remedy)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class ProtocolError(Exception):
    """The peer spoke nonsense. The message quotes received bytes only, never ours."""
