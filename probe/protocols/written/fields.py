"""The keys of one mapping that a person wrote, asked for one by one, each as the type it should be.

What is wrong is collected with its line, so that all of it can be shown at once, and the reader gets the default.
What nobody asked for is a mistake too: `finish` names it and the key it was probably meant to be.
"""

import difflib
from enum import StrEnum
from typing import TypeVar

from probe.model.errors import UserError
from probe.model.units import parse_duration, parse_size, render_duration
from probe.model.written import Written

_Choice = TypeVar("_Choice", bound=StrEnum)
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_QUOTED = 40


def quote_value(written: Written) -> str:
    """Return what was written, short enough for an error line."""
    match written.value:
        case str(text):
            return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
        case None:
            return "nothing"
        case tuple():
            return "a list"
        case dict():
            return "a mapping"


class Fields:
    """One mapping. `prefix` is its path in the file, such as `limits.`."""

    def __init__(self, written: Written, file: str, errors: list[UserError], prefix: str = "") -> None:
        self.file = file
        self.errors = errors
        self.line = written.line
        self._prefix = prefix
        self._asked: list[str] = []
        self._values: dict[str, Written] = {}
        self._key_lines = written.key_lines or {}
        if isinstance(written.value, dict):
            self._values = written.value
        elif written.value is not None:
            self.fail(written, f"{prefix.rstrip('.') or 'this'} is {quote_value(written)}", "write `key: value` pairs")

    def place(self, line: int) -> str:
        """Return where a line is."""
        return f"{self.file}:{line}"

    def fail(self, written: Written, what: str, remedy: str) -> None:
        """Note a mistake."""
        self.errors.append(UserError(self.place(written.line), what, remedy))

    def _fail_value(self, key: str, written: Written, remedy: str) -> None:
        self.fail(written, f"{self._prefix}{key}: {quote_value(written)} is no good", remedy)

    def names(self) -> tuple[str, ...]:
        """Return the keys that are there, for a mapping whose keys the person chooses."""
        return tuple(self._values)

    def has(self, key: str) -> bool:
        """Tell whether the key is there, even with nothing behind it."""
        self._asked.append(key)
        return key in self._values

    def line_of(self, key: str) -> int:
        """Return the line of a key; of the mapping where the key is not there."""
        return self._key_lines.get(key, self.line)

    def written(self, key: str) -> Written | None:
        """Return what stands at the key; `None` = nothing."""
        self._asked.append(key)
        found = self._values.get(key)
        return None if found is None or found.value is None else found

    def text(self, key: str, default: str = "") -> str:
        """Return a scalar as it was written."""
        found = self.written(key)
        if found is None:
            return default
        if isinstance(found.value, str):
            return found.value
        self._fail_value(key, found, "write one word or a quoted text")
        return default

    def duration(self, key: str, default: float, *, low: float = 0.0, high: float = 10 * 365 * 86400.0) -> float:
        """Return seconds of `5m` or `10s` within bounds."""
        found = self.written(key)
        if found is None:
            return default
        try:
            seconds = parse_duration(found.value if isinstance(found.value, str) else "")
        except ValueError:
            self._fail_value(key, found, "write a number with its unit: 500ms, 10s, 5m, 1h or 90d")
            return default
        if low <= seconds <= high:
            return seconds
        first, last = (render_duration(bound).replace(" ", "") for bound in (low, high))
        self._fail_value(key, found, f"give a time from {first} to {last}")
        return default

    def size(self, key: str, default: int, *, low: int = 0) -> int:
        """Return bytes of `2GB`."""
        found = self.written(key)
        if found is None:
            return default
        try:
            size = parse_size(found.value if isinstance(found.value, str) else "")
        except ValueError:
            size = -1
        if size >= low:
            return size
        self._fail_value(
            key, found, f"write a number with its unit: 500MB or 2GB{f', at least {low} B' if low else ''}"
        )
        return default

    def integer(self, key: str, default: int, *, low: int = 0, high: int = 2**32 - 1) -> int:
        """Return a whole number within bounds."""
        found = self.written(key)
        if found is None:
            return default
        text = found.value if isinstance(found.value, str) else ""
        if text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high:
            return int(text)
        self._fail_value(key, found, f"give a whole number from {low} to {high}")
        return default

    def decimal(self, key: str, default: float, *, low: float, high: float) -> float:
        """Return a number within bounds."""
        found = self.written(key)
        if found is None:
            return default
        try:
            number = float(found.value if isinstance(found.value, str) else "")
        except ValueError:
            number = float("nan")
        if low <= number <= high:
            return number
        self._fail_value(key, found, f"give a number from {low:g} to {high:g}")
        return default

    def truth(self, key: str, default: bool) -> bool:
        """Return `true` or `false`."""
        found = self.written(key)
        if found is None:
            return default
        word = found.value.lower() if isinstance(found.value, str) else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        self._fail_value(key, found, "write true or false")
        return default

    def choice(self, key: str, kind: type[_Choice], default: _Choice) -> _Choice:
        """Return a member of an enumeration by its value."""
        found = self.written(key)
        if found is None:
            return default
        words = [member.value for member in kind]
        if isinstance(found.value, str) and found.value in words:
            return kind(found.value)
        near = difflib.get_close_matches(found.value, words, n=1) if isinstance(found.value, str) else []
        self._fail_value(key, found, f"did you mean {near[0]}?" if near else f"choose from {', '.join(words)}")
        return default

    def items(self, key: str) -> tuple[Written, ...]:
        """Return the members of a list; one scalar or mapping alone is a list of one."""
        found = self.written(key)
        if found is None:
            return ()
        return found.value if isinstance(found.value, tuple) else (found,)

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of scalars."""
        items = self.items(key)
        for item in items:
            if not isinstance(item.value, str):
                self._fail_value(key, item, "write a list of words")
                return default
        return tuple(item.value for item in items if isinstance(item.value, str)) or default

    def words(self, key: str) -> dict[str, str]:
        """Return a mapping of scalars."""
        found = self.written(key)
        if found is None:
            return {}
        if not isinstance(found.value, dict):
            self._fail_value(key, found, "write `name: value` pairs")
            return {}
        pairs: dict[str, str] = {}
        for name, value in found.value.items():
            if isinstance(value.value, str):
                pairs[name] = value.value
            else:
                self._fail_value(f"{key}.{name}", value, "write one word or a quoted text")
        return pairs

    def mapping(self, key: str) -> "Fields | None":
        """Return the mapping at the key; `None` = there is none."""
        found = self.written(key)
        return None if found is None else Fields(found, self.file, self.errors, f"{self._prefix}{key}.")

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key, written in self._values.items():
            if key in self._asked:
                continue
            near = difflib.get_close_matches(key, self._asked, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(set(self._asked)))}"
            place = self.place(self._key_lines.get(key, written.line))
            self.errors.append(UserError(place, f"unknown key {(self._prefix + key)[:80]!r}", remedy))
