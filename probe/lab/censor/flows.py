"""What the censor remembers of a flow."""

import msgspec

from probe.lab.censor.rules import Then
from probe.lab.censor.signatures import Signature

PREFIX_BYTES = 16384
"""As much of the client's first bytes as is kept for reading; a real box keeps less, never more."""

FlowKey = tuple[int, bytes, int, bytes, int]
"""Protocol, client address and port, server address and port."""


class Flow:
    """State of one flow, in the client's view; changed by every packet."""

    __slots__ = (
        "bytes_to_client",
        "changed_s",
        "client_start",
        "diverted_to",
        "fate",
        "hello_name",
        "is_opaque",
        "passed",
        "payloads",
        "quic_fragments",
        "quic_id",
        "segments",
        "signature",
        "stream",
        "tokens",
    )

    def __init__(self, now_s: float) -> None:
        self.changed_s = now_s
        self.client_start: int | None = None
        """Sequence number of the client's first byte; `None` until a SYN was seen."""
        self.segments: dict[int, bytes] = {}
        self.stream = b""
        """The client's first bytes in order, without holes."""
        self.bytes_to_client = 0
        self.is_opaque = False
        """Its first payload looked fully encrypted."""
        self.hello_name: str | None = None
        self.fate: Then | None = None
        """What was decided for all further packets."""
        self.passed: set[str] = set()
        """Ids of rules whose probability spared this flow, or that have struck already."""
        self.diverted_to: bytes | None = None
        self.payloads = 0
        """Packets with payload so far, both ways."""
        self.signature: Signature | None = None
        """The tunnel whose first packet this flow began with."""
        self.quic_id: bytes | None = None
        """The id that the client's first Initial was sent to."""
        self.quic_fragments: dict[int, bytes] = {}
        """The hello's parts from all datagrams."""
        self.tokens: dict[bool, tuple[float, float]] = {}
        """Per direction: bytes that may pass, and when that was counted."""

    def feed(self, seq: int, data: bytes) -> None:
        """Take a segment of the client into the stream, in whatever order it comes; what came first wins."""
        if self.client_start is None:
            self.client_start = seq
        offset = (seq - self.client_start) & 0xFFFFFFFF
        if offset >= PREFIX_BYTES or not data:
            return
        if offset > len(self.stream):
            self.segments.setdefault(offset, data)
            return
        self.stream += data[len(self.stream) - offset :]
        for later in sorted(self.segments):
            if later <= len(self.stream):
                self.stream += self.segments.pop(later)[len(self.stream) - later :]
        self.stream = self.stream[:PREFIX_BYTES]

    def spend(self, outward: bool, size: int, bytes_per_s: float, burst: int, now_s: float) -> bool:
        """Take tokens for a packet; False = the rate is exceeded."""
        tokens, counted_s = self.tokens.get(outward, (float(burst), now_s))
        tokens = min(float(burst), tokens + (now_s - counted_s) * bytes_per_s)
        enough = tokens >= size
        self.tokens[outward] = (tokens - size if enough else tokens, now_s)
        return enough


class Residue(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of a trigger: client, address and port stay punished until then."""

    until_s: float
    then: Then
