"""Golden stories about TTLs: what ends the name's connections, held against what the server sends."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NEUTRAL, OWN, Story

SERVERS = 57
BELOW, ABOVE = 54, 61
ANSWERED, SILENT = HopAnswer.ANSWERED, HopAnswer.SILENT
Hops = tuple[tuple[int, HopAnswer], ...]
OPENED: Hops = ((0, ANSWERED), (64, SILENT), (56, ANSWERED), (60, SILENT), (58, SILENT), (57, ANSWERED))
QUIET: Hops = ((ABOVE, SILENT), (BELOW, ANSWERED), (BELOW, ANSWERED))


def by_name(outcome: str, *, secure: bool = True) -> Story:
    """Tell of a name that ends so five times, and of a neutral one that passes as often."""
    story = Story(secure=secure, port=443 if secure else 80).dns(OWN).tcp()
    story = story.tls(outcome) if secure else story.http(outcome)
    for number in range(1, 6):
        design = Design.SNI if secure else Design.HOST
        story.pair(number, outcome if number < 5 else "", "ok", design=design)
    return story


def over_floors(story: Story, tests: Hops, neutral: Hops = QUIET, opened: Hops = OPENED) -> Story:
    """Add what came over floors: to connections, to the neutral name, to the name."""
    here = Endpoint(address=OWN, port=story.target.port)
    planned = story.experiment(
        Design.MIN_TTL, Step.MIN_TTL, NameKind.TEST, 1, endpoint=here, about=str(here), beside=NEUTRAL,
        secure=story.target.secure,
    )  # fmt: skip
    said = TraceKind.FLOOR_HELLO if story.target.secure else TraceKind.FLOOR_REQUEST
    sweeps = ((TraceKind.FLOOR_SYN, "", opened), (said, NEUTRAL, neutral), (said, planned.name, tests))
    for kind, name, hops in sweeps:
        seen = tuple(HopSeen(ttl=ttl, answer=answer) for ttl, answer in hops)
        base = story._base(planned, 0)
        story.observations.append(PathTrace(**base, endpoint=here, kind=kind, server_name=name, hops=seen))
    return story


def _register(outcome: str, ended: HopAnswer, pattern: str, *, secure: bool) -> None:
    @golden(f"{pattern}.other_ttl")
    def tell() -> tuple[Half, Half]:
        above = ((ABOVE, ended), (ABOVE, ended))
        alike = ((ABOVE, SILENT), (BELOW, ended))
        return (
            half(
                over_floors(by_name(outcome, secure=secure), above).case(),
                "blocked network C3",
                "What ends the name comes over a floor that nothing of the server's passes: by name, and an artefact.",
            ),
            half(
                over_floors(by_name(outcome, secure=secure), alike).case(),
                "likely_blocked network C2",
                "It comes with the server's own TTL, or one so near that ways of different length explain it.",
            ),
        )


_register("reset", HopAnswer.RESET, "tls.reset", secure=True)
_register("fin", HopAnswer.FIN, "tls.fin", secure=True)
_register("reset", HopAnswer.RESET, "http.reset", secure=False)
_register("fin", HopAnswer.FIN, "http.fin", secure=False)
