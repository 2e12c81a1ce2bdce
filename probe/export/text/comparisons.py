"""The experiments of a measurement as rows of their designs: what was varied, and how often it came out how."""

import msgspec

from probe.export.text.failure_words import say_failure
from probe.export.text.trace import write_trace
from probe.model.depth import Depth
from probe.model.experiment import Design, Experiment, HelloShape, NameKind, Place, Step
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    Ending,
    HTTPExchange,
    ICMPEcho,
    Observation,
    QUICHandshake,
    Role,
    TCPConnect,
    TLSHandshake,
)
from probe.model.path_trace import PathTrace
from probe.protocols.tls.ech import find_config

_NAMES = {NameKind.TEST: "this name", NameKind.NEUTRAL: "another name", NameKind.NONE: "nothing sent"}
_PLACES = {
    Place.OWN: "same address",
    Place.SIBLING: "the site's other address",
    Place.ELSEWHERE: "address from other resolvers",
    Place.UNRELATED: "elsewhere",
}
_WHAT = {
    Design.REPEAT: "once more",
    Design.SNI: "TLS",
    Design.HOST: "HTTP",
    Design.CONNECT: "TCP alone, many times",
    Design.SHARE: "TLS, many times",
    Design.VOLUME: "how fast the page comes",
    Design.FLOW: "flow from a control's echo port",
    Design.PATH: "HTTP,",
    Design.CROSS: "at a control's echo port,",
    Design.RESIDUAL: "after the name,",
    Design.CERTIFICATE: "the site's certificate",
    Design.RESOLVERS: "asked another resolver",
    Design.NEUTRAL_LOOKUP: "asked our resolver",
    Design.NOWHERE: "asked where no resolver is",
    Design.ADDRESSES: "certificate",
    Design.HOLD: "connection left idle",
    Design.PORTS: "another port",
    Design.MIN_TTL: "over floors under the TTL",
    Design.TRACE: "path trace",
    Design.ENCRYPTED_ROUTE: "page over https",
    Design.HTTP3: "QUIC",
    Design.SOURCE_PORT: "QUIC from a low source port",
    Design.INITIAL: "QUIC with a hello in two datagrams",
    Design.ROUTE: "page over HTTP/3",
    Design.HELLO: "hello of another shape",
    Design.ECH: "name hidden by ECH, as its zone asks,",
    Design.SERVICE: "another service of the host",
    Design.REFERENCE: "the same protocol, another server",
    Design.ENTROPY: "bytes to a control's echo port",
    Design.PROTOCOL: "at a control's echo port,",
    Design.PROXY: "unrelated name at the given address",
    Design.SYSTEM: "the system's resolver function",
}


NOTHING = "nothing"
_SHAPES = {
    HelloShape.STOCK: "our own hello",
    HelloShape.SMALL: "small hello of a browser's words",
    HelloShape.BROWSER: "browser's hello",
    HelloShape.NO_ECH: "browser's hello without ECH",
    HelloShape.SEGMENTS: "hello cut into two segments",
    HelloShape.RECORDS: "hello cut into two records",
    HelloShape.ECH: "hello with the ECH that the zone asks for",
    HelloShape.ESNI: "hello with ESNI",
    HelloShape.NO_NAME: "hello without a name",
}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a design: what was varied, where, and how its tries came out."""

    design: Design
    what: str
    where: str
    outcomes: tuple[str, ...]
    failed: int
    """How many of them are failures."""
    measured: bool = False
    """They tell how far packets got, which is neither good nor bad."""
    timed: bool = False
    """Each outcome says when, and their order matters."""
    looked_up: bool = False
    """They are questions to resolvers."""
    experiments: frozenset[str] = frozenset()
    """Ids of the tries in it."""

    @property
    def counted(self) -> str:
        """Return the outcomes in few words: `ok 5/5`."""
        return ", ".join(self.outcomes) if self.timed else _count(list(self.outcomes))


_AROUND = frozenset((Design.HOLD, Design.PORTS, Design.TRACE))
"""What tells of the surroundings rather than of the block itself; and so do lookups, where names are not forged."""


def build_comparisons(measurement: Measurement) -> tuple[str, ...]:
    """Return one row for each cell of each design, what decided first; places with the same outcome share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in build_cells(measurement):
        if cell.design is Design.ECH and cell.counted == NOTHING:
            continue  # most zones say nothing of it
        rows.setdefault((cell.what, cell.counted), []).append(cell.where)
    return tuple(
        f"{what}, {places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''}: {counted}"
        for (what, counted), places in rows.items()
    )


def build_cells(measurement: Measurement) -> tuple[Cell, ...]:
    """Return the cells of all designs: first those that the verdict rests on, last those of the surroundings."""
    cells = cells_of(measurement.experiments, measurement.observations)
    ids = _find_deciding(measurement)
    decided = {cell.design for cell in cells if not ids.isdisjoint(cell.experiments)}
    patterns = measurement.verdict.patterns
    forged = bool(patterns) and patterns[0].layer == "dns"

    def rank(cell: Cell) -> int:
        around = cell.design in _AROUND or (cell.looked_up and not forged)
        return 0 if cell.design in decided else 2 if around else 1

    return tuple(sorted(cells, key=rank))


def _find_deciding(measurement: Measurement) -> frozenset[str]:
    """Return the ids of the experiments that the first rule rests on, on any path."""
    evidence = measurement.verdict.evidence
    first = {number for one in evidence if one.rule_id == evidence[0].rule_id for number in one.transactions}
    return frozenset(o.experiment for o in measurement.observations if o.experiment and o.transaction in first)


def cells_of(
    experiments: tuple[Experiment, ...], observations: tuple[Observation, ...], *, by_shape: bool = False
) -> tuple[Cell, ...]:
    """Return the cells of these experiments, with what these observations say of them.

    The check's own tries are the first of a design of names. `by_shape` = a cell for each shape of hello.
    """
    last: dict[str, Observation] = {}
    for observation in observations:
        if observation.experiment:
            last[observation.experiment] = observation
    cells: dict[tuple[Design, str, str], list[Observation]] = {}
    ids: dict[tuple[Design, str, str], set[str]] = {}
    for design, kind in ((Design.SNI, TLSHandshake), (Design.HOST, HTTPExchange)):
        own = _own_tries(design, kind, experiments, observations)
        if own:
            cells[design, f"{_WHAT[design]} with {_NAMES[NameKind.TEST]}", _PLACES[Place.OWN]] = own
    for experiment in experiments:
        deciding = _deciding(experiment, observations, last)
        if deciding is not None:
            what, where = _cell(experiment)
            if by_shape and experiment.step is Step.HELLO:
                what = what.replace(_WHAT[experiment.design], _SHAPES[experiment.shape])
            key = (experiment.design, what, where)
            cells.setdefault(key, []).append(deciding)
            ids.setdefault(key, set()).add(experiment.id)
    return tuple(
        Cell(
            design=design,
            what=what,
            where=where,
            outcomes=tuple(_since_name(one, experiments, observations) + _outcome(one, design) for one in found),
            failed=sum(one.failure is not None or _was_ended(one) for one in found),
            measured=all(isinstance(one, PathTrace) for one in found),
            timed=design is Design.RESIDUAL,
            looked_up=all(isinstance(one, DNSLookup) for one in found),
            experiments=frozenset(ids.get((design, what, where), ())),
        )
        for (design, what, where), found in cells.items()
    )


def _own_tries(
    design: Design,
    kind: type[TLSHandshake] | type[HTTPExchange],
    experiments: tuple[Experiment, ...],
    observations: tuple[Observation, ...],
) -> list[Observation]:
    """Return what the check itself met at the places of a design of names: its first test at each."""
    places = {(e.endpoint, e.hop) for e in experiments if e.design is design}
    return [
        o
        for o in observations
        if isinstance(o, kind) and o.role is Role.TARGET and not o.experiment and (o.endpoint, o.hop) in places
    ]


def _since_name(
    observation: Observation, experiments: tuple[Experiment, ...], observations: tuple[Observation, ...]
) -> str:
    """Return how long after the name a try of a residual block began; empty for all others."""
    by_id = {experiment.id: experiment for experiment in experiments}
    mine = by_id.get(observation.experiment)
    if mine is None or mine.design is not Design.RESIDUAL:
        return ""
    begun_s = min(o.t0_s for o in observations if o.experiment == mine.id)
    tests = [o for o in observations if (e := by_id.get(o.experiment)) and e.name_kind is NameKind.TEST]
    sent_s = max((o.t0_s for o in tests if o.t0_s <= begun_s), default=begun_s)
    return f"+{begun_s - sent_s:.1f} s "


def _was_ended(observation: Observation) -> bool:
    return isinstance(observation, TCPConnect) and observation.held_ending is not None


def _deciding(
    experiment: Experiment, observations: tuple[Observation, ...], last: dict[str, Observation]
) -> Observation | None:
    if experiment.step is not Step.LOOKUP:
        return last.get(experiment.id)
    lookups = (o for o in observations if o.experiment == experiment.id and isinstance(o, DNSLookup))
    return next(lookups, None)


def _cell(experiment: Experiment) -> tuple[str, str]:
    if experiment.design is Design.ECH and experiment.step is Step.LOOKUP:
        return "what the zone asks browsers to hide the name behind", str(experiment.resolver)
    if experiment.step is Step.LOOKUP:
        where = str(experiment.resolver) if experiment.resolver is not None else "this machine"
        return f"{_WHAT[experiment.design]} for {_NAMES[experiment.name_kind]}", where
    named = _named_by_design(experiment)
    if named is not None:
        return named
    if experiment.step is Step.SINK:
        kinds = {"letters": "random but for letters in front", "few bits": "random with few bits set"}
        return f"{_WHAT[experiment.design]}, {kinds.get(experiment.name, 'random')}", _address(experiment)
    if experiment.design is Design.VOLUME and experiment.about:
        what = {Step.CONVERSE: "64 KB through another server's tunnel", Step.FETCH: "a page from the same port"}
        return what.get(experiment.step, "a neutral site's page"), _address(experiment) or "elsewhere"
    if experiment.step in (Step.HOLD, Step.CONVERSE) or experiment.name_kind is NameKind.NONE:
        return _WHAT[experiment.design], str(experiment.endpoint)
    where = _PLACES[experiment.place]
    if experiment.place in (Place.ELSEWHERE, Place.UNRELATED) and experiment.endpoint is not None:
        where = f"{experiment.endpoint.address}"
    return f"{_WHAT[experiment.design]} with {_NAMES[experiment.name_kind]}", where


def _named_by_design(experiment: Experiment) -> tuple[str, str] | None:
    """Return the cell of a design that varies something else than names; `None` = it is none of those."""
    if experiment.design is Design.PATH:
        page = "another page of the host" if experiment.name_kind is NameKind.NONE else "this page"
        return f"{_WHAT[experiment.design]} {page}", _PLACES[experiment.place]
    if experiment.step is Step.TRACE_SYN:
        is_own = experiment.name_kind is NameKind.TEST
        return "trace by SYN" if is_own else "trace by SYN to a neighbour", (
            _PLACES[Place.OWN] if is_own else _address(experiment)
        )
    if experiment.design is Design.HTTP3 and experiment.step is Step.FETCH:
        return "the same page over TLS", _PLACES[experiment.place]
    if experiment.design is Design.PROTOCOL:
        sent = "bytes of no known protocol" if experiment.step is Step.SINK else "a page in clear"
        return f"{_WHAT[experiment.design]} {sent}", _address(experiment)
    return None


def _address(experiment: Experiment) -> str:
    return experiment.endpoint.address if experiment.endpoint is not None else ""


def _outcome(observation: Observation, design: Design) -> str:
    if design in (Design.VOLUME, Design.FLOW) and isinstance(observation, HTTPExchange) and observation.body_bytes:
        return _flow(observation)
    if isinstance(observation, DNSLookup) and design is Design.ECH:
        return _published(observation)
    if isinstance(observation, DNSLookup):
        if observation.failure is not None:
            return say_failure(observation.failure)
        return ", ".join(sorted(observation.addresses)[:3]) or "no address"
    if isinstance(observation, TCPConnect) and observation.held_s:
        return f"ended by {observation.held_ending.value}" if observation.held_ending else "stays open"
    if isinstance(observation, TCPConnect) and observation.failure is None and observation.syn_retransmits:
        return "ok when asked again"
    if isinstance(observation, DialogueExchange) and observation.timeline and observation.depth is Depth.DATA:
        return f"stopped at {observation.bytes_received / 1000:.1f} KB"
    return say_failure(observation.failure) if observation.failure is not None else _success(observation)


def _published(lookup: DNSLookup) -> str:
    config = find_config(tuple(a.value for reply in lookup.replies for a in reply.answers if a.type == "HTTPS"))
    if config is not None:
        return config.public_name
    failed = lookup.failure is not None and lookup.failure.code is not FailureCode.DNS_NO_ANSWER
    return say_failure(lookup.failure) if failed and lookup.failure is not None else NOTHING


def _flow(page: HTTPExchange) -> str:
    """Say how fast a page came, or at which kilobyte it stopped: several such are the histogram of their ends."""
    if page.ending is Ending.SILENCE:
        return f"stops after {round(page.body_bytes / 1000)} KB"
    rate = page.body_bytes / max(page.t_s - (page.first_byte_s or page.t0_s), 0.001) / 1000
    size = 10 ** max(0, len(str(int(rate))) - 1)
    return f"{round(rate / size) * size} kB/s{', with holes' if page.early_segments else ''}"


def _success(
    observation: TCPConnect | TLSHandshake | HTTPExchange | ICMPEcho | QUICHandshake | DialogueExchange | PathTrace,
) -> str:
    match observation:
        case HTTPExchange():
            return f"status {observation.status}"
        case TLSHandshake():
            return "valid certificate" if observation.verified else "ok"
        case QUICHandshake():
            return "valid certificate" if observation.verified else "answers"
        case TCPConnect() | ICMPEcho():
            return "ok"
        case PathTrace():
            return write_trace(observation)
        case DialogueExchange():
            return f"answers ({observation.depth.value})"


def _count(outcomes: list[str]) -> str:
    kinds = list(dict.fromkeys(outcomes))
    if len(outcomes) == 1:
        return outcomes[0]
    return ", ".join(f"{kind} {outcomes.count(kind)}/{len(outcomes)}" for kind in kinds)
