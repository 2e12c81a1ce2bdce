"""What controls saw, asked in the terms of a path: did the same address and port answer them?

Source: CONTRACT section 2, family B: a control reaches the same address and port within 5 minutes; two rounds at least
30 s apart count, of single-sample data one.
"""

import functools
from collections.abc import Callable
from typing import Self

from probe.classify.case import Case
from probe.classify.facts.path_facts import may_cite
from probe.classify.tries import Outcome, is_bogus, read_dns, read_http, read_tcp, read_tls, write_spot
from probe.model.control import ControlKind, ControlReport, is_own_fault
from probe.model.depth import Depth
from probe.model.failure import FailureCode
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    HTTPExchange,
    Observation,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.model.verdict import Confidence, EvidenceFamily

WITHIN_S = 300.0
"""What was seen longer ago was not seen at the same moment."""
SERVER_ERROR = 500
"""First status of the class (RFC 9110 section 15.6)."""
_GREETED = frozenset({Outcome.OK, Outcome.UNTRUSTED})
"""The server showed its certificate: it answers this name, whether or not it is trusted."""
UNANSWERED = frozenset({Outcome.RESET, Outcome.FIN, Outcome.SILENT})
"""Ends of a request to which nothing whole came back."""
_LOST = frozenset({Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER, Outcome.SERVFAIL})


class ControlView:
    """The outside view of one case; empty where there is none."""

    def __init__(self, case: Case, reports: tuple[ControlReport, ...]) -> None:
        self._case = case
        self._reports = reports
        self._seen = [o for report in reports for o in believed(report, case) if not is_own_fault(o)]

    @classmethod
    def of(cls, case: Case) -> Self:
        """Return the view that the case's last reports give, with those up to 5 minutes before them."""
        view: Self | None = case.derived.get("control view")
        if view is None:
            view = case.derived["control view"] = cls._newest(case)
        return view

    @classmethod
    def _newest(cls, case: Case) -> Self:
        usable = _usable(case)
        newest_s = max((report.asked_at for report in usable), default=0.0)
        return cls(case, tuple(r for r in usable if newest_s - r.asked_at <= WITHIN_S))

    def level(self, says: Callable[[Self], bool]) -> Confidence:
        """Return what one family-B comparison is worth: rounds count in which a control did say this.

        Two rounds of an earlier run that is cited keep their worth, so all reports are looked at.
        """
        asked_s = sorted(r.asked_at for r in _usable(self._case) if says(self._alone(r)))
        if self._case.single_sample and asked_s:
            return Confidence.C2
        apart_s = self._case.round_apart_s
        apart = any(apart_s <= late - early <= WITHIN_S for early in asked_s for late in asked_s)
        return Confidence.C2 if apart else Confidence.C1

    @property
    def names(self) -> frozenset[str]:
        """Return which controls speak."""
        return frozenset(report.control for report in self._reports)

    def contested(self, says: Callable[[Self], bool]) -> bool:
        """Tell whether one control by itself says this: asked where another one says the opposite.

        One of the two may stand behind a censor, or be refused by the server: neither settles who keeps us out.
        """
        return len(self.names) > 1 and any(says(self._by_name(name)) for name in self.names)

    @property
    def through_tunnel(self) -> bool:
        """Tell whether all that is known came through tunnels: how fast it came then tells of them, too."""
        return bool(self._reports) and all(report.kind is ControlKind.TUNNEL for report in self._reports)

    def _alone(self, *reports: ControlReport) -> Self:
        """Return the view that some of the reports give by themselves."""
        key = ("control view", *map(id, reports))  # they live as long as the case
        view: Self | None = self._case.derived.get(key)
        if view is None:
            view = self._case.derived[key] = type(self)(self._case, reports)
        return view

    def _by_name(self, name: str) -> Self:
        """Return the view that one control gives by itself, in all its rounds."""
        return self._alone(*(report for report in self._reports if report.control == name))

    def method(self, says: Callable[[Self], bool]) -> EvidenceFamily:
        """Return the family of a comparison: C where tunnels alone say this, B where a control's server does."""
        kinds = {r.kind for r in self._reports if says(self._alone(r))}
        return EvidenceFamily.TUNNEL if kinds == {ControlKind.TUNNEL} else EvidenceFamily.CONTROL

    @functools.cached_property
    def addresses(self) -> frozenset[str]:
        """Return the addresses that controls were given for the target's name."""
        return frozenset(a for o in self._lookups for a in o.addresses)

    @functools.cached_property
    def given(self) -> frozenset[str]:
        """Return the addresses that controls were given for any name: the target's, and those it redirects to."""
        return frozenset(a for o in self._seen if isinstance(o, DNSLookup) for a in o.addresses)

    @functools.cached_property
    def validated(self) -> frozenset[str]:
        """Return the addresses that showed controls a valid certificate for the target's name."""
        host = self._case.target.host
        shaken = (o for o in self._seen if isinstance(o, TLSHandshake) and o.server_name == host)
        return frozenset(o.endpoint.address for o in shaken if o.verified)

    @functools.cached_property
    def refuted(self) -> frozenset[str]:
        """Return the addresses that showed controls a certificate of other names when they sent the target's."""
        host = self._case.target.host
        shaken = [o for o in self._seen if isinstance(o, TLSHandshake) and o.server_name == host]
        wrong = {o.endpoint.address for o in shaken if o.failure and o.failure.code is FailureCode.SSL_INVALID_HOSTNAME}
        return frozenset(wrong) - self.validated

    def gives_nobody(self) -> bool:
        """Tell whether all that controls were given for the name is addresses at which nobody can be reached."""
        return bool(self.addresses) and all(map(is_bogus, self.addresses))

    @functools.cached_property
    def asns(self) -> frozenset[int]:
        """Return the AS numbers of the addresses that controls were given for the target's name, where known."""
        return frozenset(asn for lookup in self._lookups for asn in lookup.asns if asn)

    def knows_no_address(self) -> bool:
        """Tell whether controls asked for the name and were given nothing."""
        return bool(self._lookups) and all(read_dns(o) in _LOST for o in self._lookups)

    def denies_name(self) -> bool:
        """Tell whether controls asked for the name and were told that it does not exist."""
        return bool(self._lookups) and all(read_dns(o) is Outcome.NO_SUCH_NAME for o in self._lookups)

    @functools.cached_property
    def _lookups(self) -> list[DNSLookup]:
        return [o for o in self._seen if isinstance(o, DNSLookup) and o.name == self._case.target.host]

    def _at(self, spot: str) -> list[Observation]:
        """Return what controls saw at a place."""
        return self._by_spot.get(spot, [])

    @functools.cached_property
    def _by_spot(self) -> dict[str, list[Observation]]:
        found: dict[str, list[Observation]] = {}
        for seen in self._seen:
            if isinstance(seen, TCPConnect | TLSHandshake | HTTPExchange | DialogueExchange):
                found.setdefault(str(seen.endpoint), []).append(seen)
        return found

    def connects(self, spot: str) -> bool | None:
        """Tell whether controls connect to a place; `None` = none tried."""
        tried = [read_tcp(o) is Outcome.OK for o in self._at(spot) if isinstance(o, TCPConnect)]
        return any(tried) if tried else None

    def spoke(self, spot: str) -> bool:
        """Tell whether a tunnel's server answers controls in its protocol."""
        spoken = (o for o in self._at(spot) if isinstance(o, DialogueExchange))
        return any(o.failure is None and o.depth.rank >= Depth.HELLO.rank for o in spoken)

    def is_dead(self, spot: str) -> bool:
        """Tell whether controls tried to connect to a place, or to greet a tunnel's server there, all in vain."""
        greeted = any(isinstance(o, DialogueExchange) for o in self._at(spot))
        return self.connects(spot) is False or (greeted and not self.spoke(spot))

    def greeted(self, spot: str, name: str) -> bool | None:
        """Tell whether a place shows controls a certificate when they send this name; `None` = none tried."""
        shaken = self._shaken(spot, name)
        return bool(shaken & _GREETED) if shaken else None

    def greeted_by_quic(self, spot: str, name: str) -> bool:
        """Tell whether a place shakes hands with controls by QUIC when they send this name, under its certificate."""
        shaken = (o for o in self._seen if isinstance(o, QUICHandshake) and o.server_name == name)
        return any(o.verified and write_spot(o.endpoint, over_quic=True) == spot for o in shaken)

    def trusts(self, spot: str, name: str) -> bool | None:
        """Tell whether controls accept the certificate that a place shows for this name; `None` = none was shown."""
        shaken = self._shaken(spot, name) & _GREETED
        return Outcome.OK in shaken if shaken else None

    def _shaken(self, spot: str, name: str) -> frozenset[Outcome]:
        shaken = (o for o in self._at(spot) if isinstance(o, TLSHandshake))
        return frozenset(read_tls(o) for o in shaken if o.server_name == name)

    def answers(self, spot: str) -> bool | None:
        """Tell whether a place answers controls' requests with anything; `None` = none asked there.

        An answer to one request is an answer, whatever became of others: only what answers nobody is dead.
        """
        asked = [read_http(o) for o in self._at(spot) if isinstance(o, HTTPExchange)]
        return any(outcome not in UNANSWERED for outcome in asked) if asked else None

    def leaves(self, spot: str) -> frozenset[bytes]:
        """Return the leaf certificates that controls were shown at a place."""
        shaken = (o for o in self._at(spot) if isinstance(o, TLSHandshake))
        return frozenset(o.chain[0] for o in shaken if o.chain)

    @functools.cached_property
    def _pages(self) -> list[HTTPExchange]:
        return [o for o in self._seen if isinstance(o, HTTPExchange)]

    @property
    def answered_pages(self) -> list[HTTPExchange]:
        """Return every answer that came whole, in order; a fault that the server reports is none."""
        return [page for page in self._pages if page.failure is None and 0 < page.status < SERVER_ERROR]

    @property
    def first_page(self) -> HTTPExchange | None:
        """Return what the target's own address answered; `None` = none asked there."""
        return next((page for page in self._pages if not page.hop), None)

    @functools.cached_property
    def page(self) -> HTTPExchange | None:
        """Return the last page that a control got; `None` = none asked, or none came."""
        pages = [o for o in self._seen if isinstance(o, HTTPExchange) and o.failure is None and o.status]
        return pages[-1] if pages else None


def _usable(case: Case) -> tuple[ControlReport, ...]:
    """Return the reports that answer this case: fresh, and not of an earlier run that failed in another way."""
    usable: tuple[ControlReport, ...] | None = case.derived.get("usable reports")
    if usable is None:
        usable = case.derived["usable reports"] = _find_usable(case)
    return usable


def _find_usable(case: Case) -> tuple[ControlReport, ...]:
    stale = () if may_cite(case) else tuple(report for citation in case.cites for report in citation.controls)
    return tuple(r for r in case.controls if r.answered and r.age_s <= WITHIN_S and r not in stale)


def believed(report: ControlReport, case: Case) -> tuple[Observation, ...]:
    """Return what of a report counts.

    Another agent may stand behind a censor of its own, and so may whatever stands in our own country: of theirs counts
    what a certificate proves, at the addresses that showed it. What fails for them proves nothing.
    """
    seen = report.of_target(case.target.check)
    home = bool(report.country) and report.country == case.vantage.country_code
    if report.kind is not ControlKind.PEER and not home:
        return seen
    shown = {o.endpoint.address for o in seen if isinstance(o, TLSHandshake) and o.verified}
    return tuple(o for o in seen if o.failure is None and _is_shown(o, shown))


def _is_shown(observation: Observation, shown: set[str]) -> bool:
    match observation:
        case DNSLookup():
            return bool(observation.addresses) and shown.issuperset(observation.addresses)
        case TLSHandshake() | QUICHandshake():
            return observation.verified
        case HTTPExchange():
            return observation.secure and observation.endpoint.address in shown
        case TCPConnect():
            return observation.endpoint.address in shown
        case _:
            return False
