"""Golden stories about names that fail now and then."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story

HERE = Endpoint(address=OWN, port=443)


def sometimes(outcome: str, failed: int, good: int, controls: int = 5, neutral: str = "ok") -> Story:
    """Tell of a name whose first handshake was good, of more of which some failed, and of neutral ones."""
    story = Story().dns(OWN).tcp().tls().http()
    outcomes = [outcome] * failed + ["ok"] * (good - 1)
    for kind, several in ((NameKind.TEST, outcomes), (NameKind.NEUTRAL, [neutral] * controls)):
        for number, came in enumerate(several, 1):
            design = Design.SHARE if kind is NameKind.TEST else Design.SNI
            planned = story.experiment(design, Step.HANDSHAKE, kind, number, endpoint=HERE)
            story.tcp(experiment=planned).tls(came, experiment=planned)
    return story


def _register(pattern: str, outcome: str, about: str) -> None:
    @golden(f"{pattern}.sni.sometimes")
    def named() -> tuple[Half, Half]:
        return (
            half(
                sometimes(outcome, 9, 2).case(),
                "degraded network C2",
                f"{about} nine times of eleven, a neutral name never of five.",
            ),
            half(
                sometimes(outcome, 3, 8).case(),
                "degraded unknown C1",
                f"{about} three times of eleven: with one broken machine of four, five neutral names may escape.",
            ),
        )

    @golden(f"{pattern}.sometimes_seen")
    def seen() -> tuple[Half, Half]:
        return (
            half(
                sometimes(outcome, 3, 8).case(),
                "degraded unknown C1",
                f"{about} three times of eleven: no healthy loss, and nobody's doing that is known.",
            ),
            half(
                sometimes(outcome, 2, 9).case(), "ok none C2", f"{about} twice of eleven: one more would be no chance."
            ),
        )


_register("tls.reset", "reset", "Reset")
_register("tls.fin", "fin", "Closed")
_register("tls.timeout", "silent", "Silent")
