"""What controls saw, asked in the terms of a path: did the same address and port answer them?

Source: VERDICTS section 2, family B: a control reaches the same address and port within 5 minutes; two rounds at least
30 s apart count, of single-sample data one.
"""

import functools

from probe.classify.case import Case
from probe.classify.tries import Outcome, read_dns
from probe.model.observation import DNSLookup, HTTPExchange, TCPConnect, TLSHandshake
from probe.model.verdict import Confidence

ROUND_APART_S = 30.0
WITHIN_S = 300.0


class ControlView:
    """The outside view of one case; empty where there is none."""

    def __init__(self, case: Case) -> None:
        self._case = case
        newest_s = max((report.asked_at for report in case.controls), default=0.0)
        self._reports = [
            r for r in case.controls if r.answered and r.age_s <= WITHIN_S and newest_s - r.asked_at <= WITHIN_S
        ]
        self._seen = [o for report in self._reports for o in report.observations]

    @property
    def confidence(self) -> Confidence:
        """Return what one family-B comparison is worth here."""
        if self._case.single_sample and self._reports:
            return Confidence.C2
        rounds, last_s = 0, float("-inf")
        for report in sorted(self._reports, key=lambda r: r.asked_at):
            if report.asked_at - last_s >= ROUND_APART_S:
                rounds, last_s = rounds + 1, report.asked_at
        return Confidence.C2 if rounds >= 2 else Confidence.C1

    @functools.cached_property
    def addresses(self) -> frozenset[str]:
        """Return the addresses that controls were given for the target's name."""
        return frozenset(a for o in self._lookups for a in o.addresses)

    @functools.cached_property
    def validated(self) -> frozenset[str]:
        """Return the addresses that showed controls a valid certificate for the target's name."""
        host = self._case.target.host
        shaken = (o for o in self._seen if isinstance(o, TLSHandshake) and o.server_name == host)
        return frozenset(o.endpoint.address for o in shaken if o.verified)

    def knows_no_address(self) -> bool:
        """Tell whether controls asked for the name and were given nothing."""
        lost = {Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER, Outcome.SERVFAIL}
        return bool(self._lookups) and not self.addresses and any(read_dns(o) in lost for o in self._lookups)

    @functools.cached_property
    def _lookups(self) -> list[DNSLookup]:
        return [o for o in self._seen if isinstance(o, DNSLookup) and o.name == self._case.target.host]

    def connects(self, spot: str) -> bool | None:
        """Tell whether controls connect to a place; `None` = none tried."""
        tried = [o.failure is None for o in self._seen if isinstance(o, TCPConnect) and str(o.endpoint) == spot]
        return any(tried) if tried else None

    def handshakes(self, spot: str, name: str) -> bool | None:
        """Tell whether controls complete a handshake with this name at a place; `None` = none tried."""
        tried = [
            o.failure is None
            for o in self._seen
            if isinstance(o, TLSHandshake) and str(o.endpoint) == spot and o.server_name == name
        ]
        return any(tried) if tried else None

    def leaves(self, spot: str) -> frozenset[bytes]:
        """Return the leaf certificates that controls were shown at a place."""
        shaken = (o for o in self._seen if isinstance(o, TLSHandshake) and str(o.endpoint) == spot)
        return frozenset(o.chain[0] for o in shaken if o.chain)

    @functools.cached_property
    def page(self) -> HTTPExchange | None:
        """Return the last page that a control got; `None` = none asked, or none came."""
        pages = [o for o in self._seen if isinstance(o, HTTPExchange) and o.failure is None and o.status]
        return pages[-1] if pages else None

    @property
    def page_failed(self) -> bool:
        """Tell whether controls asked for the page and got none."""
        asked = any(isinstance(o, HTTPExchange) for o in self._seen)
        return asked and self.page is None
