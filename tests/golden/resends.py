"""Golden stories about connections that come about only when they ask again."""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import OWN, Story

HERE = Endpoint(address=OWN, port=443)
OTHER_PORT = Endpoint(address=OWN, port=80)


def knocks(lost: int, tries: int, beside: str = "ok", beside_lost: int = 0) -> Story:
    """Tell of a page that came late, and of more connections: to its port, and in turn to another of the host."""
    story = Story().dns(OWN).tcp(resent=1).tls().http()
    for number in range(1, tries):
        for endpoint, place, gone, outcome in (
            (HERE, Place.OWN, number < lost, "ok"),
            (OTHER_PORT, Place.UNRELATED, number <= beside_lost, beside),
        ):
            planned = story.experiment(
                Design.CONNECT, Step.CONNECT, NameKind.NONE, number, endpoint=endpoint, place=place, about=str(HERE)
            )
            story.tcp(outcome, port=endpoint.port, experiment=planned, resent=int(gone))
    return story


@golden("ip.port_drop.sometimes_seen")
def sometimes() -> tuple[Half, Half]:
    return (
        half(
            knocks(8, 10, beside="refused").case(),
            "degraded unknown C1",
            "Eight first packets of ten are lost at the port, none of nine at another one, which refuses at once.",
        ),
        half(
            knocks(8, 10, beside_lost=2).case(),
            "ok none C2",
            "The other port loses two as well: it may be the line or the host.",
        ),
    )
