"""Golden stories about a filter that remembers us for a while."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NAME, OWN, Story

CLEAR = {"secure": False, "port": 80, "address": f"http://{NAME}"}
FULL = {"bytes_acked": 0, "bytes_sent": 517}
COOL_DOWN_S = 200.0


class Remembered:
    """A place that is dead for a while after the name, step by step."""

    def __init__(self, outcome: str, *, over_tls: bool) -> None:
        self.story = Story() if over_tls else Story(**CLEAR)
        self._outcome, self._over_tls = outcome, over_tls
        self._design = Design.SNI if over_tls else Design.HOST
        self._number = 0

    def check(self) -> "Remembered":
        """Tell of the check itself: the name fails."""
        self.story.dns(OWN).tcp()
        self._send(self._outcome)
        return self

    def name(self) -> "Remembered":
        """Send the name once more: it fails."""
        return self._try(self._design, NameKind.TEST, self._outcome)

    def neutral(self, design: Design | None = None) -> "Remembered":
        """Send a neutral name, which passes."""
        return self._try(design or self._design, NameKind.NEUTRAL, "ok")

    def dead(self, design: Design | None = None) -> "Remembered":
        """Send a neutral name to a place that does not even answer connections."""
        return self._try(design or self._design, NameKind.NEUTRAL, "")

    def neutrals(self, times: int) -> "Remembered":
        """Send several neutral names, which pass."""
        for _ in range(times):
            self.neutral()
        return self

    def wait(self, seconds: float) -> "Remembered":
        """Let time pass."""
        self.story.wait(seconds)
        return self

    def _try(self, design: Design, kind: NameKind, outcome: str) -> "Remembered":
        self._number += 1
        port = self.story.target.port
        step = Step.HANDSHAKE if self._over_tls else Step.FETCH
        planned = self.story.experiment(
            design, step, kind, self._number, endpoint=Endpoint(address=OWN, port=port), secure=self._over_tls
        )
        self.story.tcp("ok" if outcome else "silent", experiment=planned)
        if outcome:
            self._send(outcome, experiment=planned)
        return self

    def _send(self, outcome: str, **fields: object) -> None:
        send = self.story.tls if self._over_tls else self.story.http
        more = FULL if outcome == "silent" else {}
        send(outcome, **fields, **more)


def twice(outcome: str, *, over_tls: bool = True) -> Remembered:
    """Tell of two bouts: the check's own, and one after five neutral names that passed once the place was cold."""
    first = Remembered(outcome, over_tls=over_tls).check().dead().dead().wait(COOL_DOWN_S).neutrals(5)
    second = first.name().dead(Design.RESIDUAL).wait(30).dead(Design.RESIDUAL)
    return second.wait(65).neutral(Design.RESIDUAL)


def short_outage(outcome: str, *, over_tls: bool = True) -> Remembered:
    """Tell of a place that was away once, and of a name that a broken server cannot stand."""
    story = Remembered(outcome, over_tls=over_tls).check().dead().dead().wait(COOL_DOWN_S).neutrals(5)
    return story.name().neutral(Design.RESIDUAL)


def _register(rule: str, outcome: str, *, over_tls: bool) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(
                twice(outcome, over_tls=over_tls).story.case(),
                "blocked network C3",
                "Twice the place is dead for a neutral name from the moment the name is sent, and comes back.",
            ),
            half(
                short_outage(outcome, over_tls=over_tls).story.case(),
                "impaired unknown C1",
                "The second time a neutral name passes at once: the first may have been a short outage.",
            ),
        )


for _layer, _over_tls, _what in (("tls", True, "sni"), ("http", False, "host")):
    for _action, _outcome in (("reset", "reset"), ("fin", "fin"), ("timeout", "silent")):
        _register(f"{_layer}.{_action}.{_what}.residual", _outcome, over_tls=_over_tls)


@golden("flow.residual.recovers")
def recovers() -> tuple[Half, Half]:
    limited = Remembered("reset", over_tls=True).check().dead().wait(COOL_DOWN_S).neutrals(4)
    limited.name().dead(Design.RESIDUAL).wait(95).neutral(Design.RESIDUAL)
    return (
        half(twice("reset").story.case(), "blocked network C3", "Dead for 30 to 95 s after the name, twice."),
        half(
            limited.story.case(),
            "impaired unknown C1",
            "Four neutral names that passed in a row do not rule out a limit on connections.",
        ),
    )
