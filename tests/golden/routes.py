"""Golden stories about HTTP/3 as another route to a host whose TLS over TCP fails."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import QUICHandshake, QUICStage
from tests.golden.paths import paired
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NAME, OWN, Story

HERE = Endpoint(address=OWN, port=443)


def by_quic(story: Story, *, verified: bool) -> Story:
    """Try HTTP/3 twice, 31 s apart."""
    for number in (1, 2):
        planned = story.experiment(Design.ROUTE, Step.FETCH_H3, NameKind.TEST, number, endpoint=HERE, about=str(HERE))
        failure = None if verified else Failure(stage=Stage.QUIC, code=FailureCode.SSL_UNKNOWN_AUTHORITY)
        base = story._base(planned, 0)
        story.observations.append(
            QUICHandshake(
                **base, endpoint=HERE, server_name=NAME, stage=QUICStage.DONE, verified=verified, failure=failure
            )
        )
        story.wait(31.0)
    return story


def _register(outcome: str, pattern: str) -> None:
    @golden(f"{pattern}.http3_ok")
    def tell() -> tuple[Half, Half]:
        return (
            half(
                by_quic(told(outcome), verified=True).case(),
                "blocked network C3",
                "By name five times, and twice the same host proves itself over HTTP/3: two families.",
            ),
            half(
                by_quic(told(outcome), verified=False).case(),
                "likely_blocked network C2",
                "What comes over HTTP/3 does not prove the site.",
            ),
        )


def told(outcome: str) -> Story:
    """Tell of five failures by name against five neutral names."""
    return paired(outcome)


for _outcome, _pattern in (("reset", "tls.reset"), ("fin", "tls.fin"), ("silent", "tls.timeout")):
    _register(_outcome, _pattern)
