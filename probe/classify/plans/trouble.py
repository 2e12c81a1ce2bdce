"""What the planner starts from: the steps that failed, or that have kept silent for too long, in the first bad hop."""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.pages import fingerprint_of
from probe.classify.facts.path_facts import PathFacts
from probe.classify.tries import ENCRYPTED, Layer, Outcome, Try, write_spot
from probe.model.endpoint import Endpoint
from probe.model.experiment import Place
from probe.model.observation import DNSLookup, HTTPExchange, ICMPEcho, QUICHandshake, TCPConnect, TLSHandshake
from probe.model.target import CheckName


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the target's name failed, or seems to."""

    endpoint: Endpoint
    layer: Layer
    outcome: Outcome
    hop: int
    name: str
    """The server name that was tried."""
    place: Place = Place.OWN
    waiting: bool = False
    """Still in flight: silent so far."""
    received: bool = False
    """The peer sent something before it failed."""
    secure: bool = True
    """The target asks for TLS at this hop."""
    path: str = "/"
    over_quic: bool = False

    @property
    def spot(self) -> str:
        """Return the place as facts name it."""
        return write_spot(self.endpoint, over_quic=self.over_quic)


def hop_name(case: Case, table: tuple[Try, ...], hop: int) -> tuple[str, bool, str]:
    """Return the host, whether it is asked over TLS, and the path of a hop."""
    if hop == 0:
        return case.target.host, case.target.secure, case.target.path
    pages = (r.observation for r in table if r.experiment is None and r.hop == hop - 1)
    page = next((page for page in pages if isinstance(page, HTTPExchange) and page.location), None)
    looked_up = next((r.name for r in table if r.hop == hop and r.layer is Layer.DNS and r.experiment is None), "")
    location = page.location if page is not None else ""
    host = looked_up or location.split("//", 1)[-1].split("/", 1)[0].split(":", 1)[0]
    secure = not location.startswith("http://")
    rest = location.split("//", 1)[-1]
    path = "/" + rest.split("/", 1)[1] if "/" in rest else "/"
    return host, secure, path


def find_troubles(case: Case, table: tuple[Try, ...], hop: int) -> tuple[Trouble, ...]:
    """Return the troubled places of a hop: those of the check, and the name's real addresses that fail as well."""
    host, secure, path = hop_name(case, table, hop)
    own = {
        row.spot: row.observation.endpoint
        for row in table
        if isinstance(row.observation, TCPConnect | QUICHandshake) and row.hop == hop and row.experiment is None
    }
    for row in table:
        if isinstance(row.observation, ICMPEcho) and row.hop == hop and row.experiment is None:
            own[row.spot] = Endpoint(address=row.address, port=0)
    found: list[Trouble] = []
    for spot, endpoint in own.items():
        facts = PathFacts(case, table, hop, spot, frozenset(own) - {spot})
        broken = facts.failing
        if broken is not None:
            found.append(_trouble(broken, endpoint, host, secure=secure, path=path))
    done = {observation.transaction for observation in case.observations}
    for silence in case.silences:
        if silence.transaction in done or silence.experiment or silence.hop != hop or silence.endpoint is None:
            continue
        if silence.layer == Layer.DNS.value:
            continue
        found.append(
            Trouble(
                endpoint=silence.endpoint, layer=Layer(silence.layer), outcome=Outcome.SILENT, hop=hop,
                name=silence.name if silence.layer == Layer.TLS.value else host,
                waiting=True, secure=secure, path=path, over_quic=silence.layer == Layer.QUIC.value,
            )
        )  # fmt: skip
    for row in table:
        experiment = row.experiment
        if experiment is None or experiment.place is not Place.ELSEWHERE or experiment.cell != 1 or row.hop != hop:
            continue
        if row.layer is not Layer.DNS and row.outcome is not Outcome.OK and experiment.endpoint is not None:
            found.append(_trouble(row, experiment.endpoint, host, secure=True, path="/", place=Place.ELSEWHERE))
    return tuple(found)


def _trouble(row: Try, endpoint: Endpoint, host: str, *, secure: bool, path: str, place: Place = Place.OWN) -> Trouble:
    received = getattr(row.observation, "bytes_received", 0) > 0
    if isinstance(row.observation, TLSHandshake):
        host = row.observation.server_name
    return Trouble(
        endpoint=endpoint, layer=row.layer, outcome=row.outcome, hop=row.hop, name=host, place=place,
        received=received, secure=secure, path=path, over_quic=is_over_quic(row),
    )  # fmt: skip


def is_over_quic(row: Try) -> bool:
    """Tell whether a step went by UDP port, in QUIC or in HTTP/3."""
    return isinstance(row.observation, QUICHandshake) or (
        isinstance(row.observation, HTTPExchange) and row.observation.over_quic
    )


def first_troubled_hop(case: Case, table: tuple[Try, ...]) -> int | None:
    """Return the first hop in which something failed, looks forged or keeps silent; `None` = all is well."""
    hops = sorted({row.hop for row in table if row.experiment is None} | {silence.hop for silence in case.silences})
    done = {observation.transaction for observation in case.observations}
    for hop in hops:
        names = NameFacts(case, table, hop)
        waiting = any(s.hop == hop and s.transaction not in done and not s.experiment for s in case.silences)
        if (
            waiting
            or (names.asked and names.suspicious)
            or find_troubles(case, table, hop)
            or odd_page(case, table, hop)
            or any(row.outcome is not Outcome.OK for row in encrypted_questions(case, table, hop))
        ):
            return hop
    # An answer that nobody else gives is no trouble yet, and must not hide one further on.
    return next((hop for hop in hops if _is_nobody_elses(NameFacts(case, table, hop))), None)


def _is_nobody_elses(names: NameFacts) -> bool:
    return names.asked and (names.differs or names.invented or bool(names.proxies))


def encrypted_questions(case: Case, table: tuple[Try, ...], hop: int) -> tuple[Try, ...]:
    """Return what the check of an encrypted resolver asked it."""
    if case.target.check not in (CheckName.DOT, CheckName.DOH):
        return ()
    return tuple(
        row
        for row in table
        if isinstance(row.observation, DNSLookup)
        and row.observation.resolver.transport in ENCRYPTED
        and row.experiment is None
        and row.hop == hop
    )


def odd_page(case: Case, table: tuple[Try, ...], hop: int) -> bool:
    """Tell whether a page that came in the clear refuses, or reads like a block page."""
    pages = [
        r.observation
        for r in table
        if r.experiment is None and r.hop == hop and isinstance(r.observation, HTTPExchange)
    ]
    return any(not page.secure and page.status and _is_odd(page, case) for page in pages)


def _is_odd(page: HTTPExchange, case: Case) -> bool:
    refusal = page.status in (401, 403, 407, 429, 451) or page.status >= 500
    return refusal or fingerprint_of(case, page) is not None
