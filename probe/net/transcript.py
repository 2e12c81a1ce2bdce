"""What is kept of a conversation's messages: little of each, and nothing of a secret."""

from probe.model.observation import Message

KEPT_BYTES = 256
"""Of one message: its header and what a filter looks at."""
KEPT_MESSAGES = 48


class Transcript:
    """Grows message by message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.sends = 0

    def sent(self, t_s: float, data: bytes, secret_spans: tuple[tuple[int, int], ...]) -> None:
        """Note what goes out; zeros stand where a secret is."""
        self.sends += 1
        self._add(Message(sent=True, t_s=t_s, length=len(data), data=blank(data, secret_spans)[:KEPT_BYTES]))

    def received(self, t_s: float, data: bytes, *, secret: bool) -> None:
        """Note what came; of a secret message the length only."""
        self._add(Message(sent=False, t_s=t_s, length=len(data), data=b"" if secret else data[:KEPT_BYTES]))

    def _add(self, message: Message) -> None:
        if len(self.messages) < KEPT_MESSAGES:
            self.messages.append(message)


def blank(data: bytes, spans: tuple[tuple[int, int], ...]) -> bytes:
    """Return the bytes with zeros in these half-open ranges."""
    if not spans:
        return data
    kept = bytearray(data)
    for start, end in spans:
        kept[start:end] = bytes(len(kept[start:end]))
    return bytes(kept)
