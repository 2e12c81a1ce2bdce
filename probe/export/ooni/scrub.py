"""Takes our own addresses out of what leaves this host: pages like to tell visitors theirs.

Source: OONI spec df-000, which writes `[scrubbed]` in their place.
"""

import base64
import ipaddress
import re
from collections.abc import Iterable

SCRUBBED = "[scrubbed]"


class Scrubber:
    """Knows our addresses in every way that they are commonly written. Long-lived; holds no state."""

    def __init__(self, own: Iterable[str]) -> None:
        """Prepare for these address literals; what is none of them stays.

        Raises:
            ValueError: one is no address literal.
        """
        forms = sorted({form for address in own for form in _spell(address)}, key=len, reverse=True)
        pattern = "|".join(_match_alone(form) for form in forms)
        self._text = re.compile(pattern, re.IGNORECASE) if forms else None
        self._bytes = re.compile(pattern.encode("ascii"), re.IGNORECASE) if forms else None

    def text(self, text: str) -> str:
        """Return the text without them, and without what UTF-8 cannot carry."""
        if self._text is not None:
            text = self._text.sub(SCRUBBED, text)
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

    def data(self, data: bytes) -> str | dict[str, str]:
        """Return bytes as OONI writes them, without our addresses: as text if they are UTF-8, else as base64."""
        if self._bytes is not None:
            data = self._bytes.sub(SCRUBBED.encode(), data)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return {"data": base64.b64encode(data).decode("ascii"), "format": "base64"}


def _match_alone(form: str) -> str:
    """Return a pattern for the address where it does not go on to the left or right: then it is another one."""
    if ":" in form:
        return rf"(?<![0-9A-Fa-f:]){re.escape(form)}(?![0-9A-Fa-f]|:[0-9A-Fa-f:]|\.[0-9])"
    joint = re.escape(form.strip("0123456789")[:1])
    return rf"(?<![0-9])(?<![0-9]{joint}){re.escape(form)}(?![0-9]|{joint}[0-9])"


def _spell(address: str) -> set[str]:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    forms = {str(parsed), parsed.exploded}
    if isinstance(parsed, ipaddress.IPv6Address):
        forms.add(":".join(f"{int(group, 16):x}" for group in parsed.exploded.split(":")))
        if parsed.ipv4_mapped is not None:
            forms.add(str(parsed.ipv4_mapped))
    else:
        forms |= {str(parsed).replace(".", "-")}  # as in names such as 192-0-2-1.pool.example
    return forms
