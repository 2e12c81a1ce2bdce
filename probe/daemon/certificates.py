"""When the certificates of a target end. Each is parsed once: the happy path must not pay for it at every run."""

from probe.model.errors import ProtocolError
from probe.model.measurement import Measurement
from probe.model.observation import Role, TLSHandshake
from probe.protocols.tls.certificate import parse_certificate

HAS_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
_KEPT = 50_000


class Expiries:
    """Remembers by hash: the bytes of ten thousand certificates would be 15 MB."""

    def __init__(self) -> None:
        self._ends_at: dict[int, float] = {}

    def find_first(self, measurement: Measurement) -> float:
        """Return the first end among the leaves that a run's own handshakes saw; 0 = there was none.

        Only leaves: servers send expired roots along for old clients, and nobody minds. A certificate that is not
        trusted is somebody else's, unless having expired is all that is wrong with it.
        """
        ends = [
            self._find_end(seen.chain[0])
            for seen in measurement.observations
            if isinstance(seen, TLSHandshake)
            and seen.chain
            and seen.role is Role.TARGET
            and not seen.hop
            and (seen.verified or seen.verify_code == HAS_EXPIRED)
        ]
        return min((end for end in ends if end), default=0.0)

    def _find_end(self, der: bytes) -> float:
        key = hash(der)
        known = self._ends_at.get(key)
        if known is None:
            if len(self._ends_at) >= _KEPT:
                self._ends_at.clear()
            try:
                known = parse_certificate(der).not_after
            except ProtocolError:
                known = 0.0
            self._ends_at[key] = known
        return known
