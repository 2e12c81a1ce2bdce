"""Golden stories about the name at a control's echo ports."""

from typing import Any

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import NAME, OWN, Story

CONTROL = "77.88.1.1"
FULL = {"bytes_acked": 0, "bytes_sent": 517}
CLEAR = {"secure": False, "port": 80, "address": f"http://{NAME}"}


def crossed(outcome: str, ports: int, *, over_tls: bool) -> Story:
    """Tell of a server that is as hard on neutral names, and of echo ports that are not."""
    story = Story() if over_tls else Story(**CLEAR)
    more: dict[str, Any] = FULL if outcome == "silent" else {}
    send = story.tls if over_tls else story.http
    step = Step.HANDSHAKE if over_tls else Step.FETCH
    story.dns(OWN).tcp()
    send(outcome, **more)
    story.once_more(step, outcome).pair(1, "", outcome, design=Design.SNI if over_tls else Design.HOST)
    for port in range(20000, 20000 + ports):
        for kind, ends in ((NameKind.NEUTRAL, "ok"), (NameKind.TEST, outcome)):
            there = {"endpoint": Endpoint(address=CONTROL, port=port), "place": Place.UNRELATED, "secure": over_tls}
            planned = story.experiment(Design.CROSS, step, kind, 1, **there)
            story.tcp(address=CONTROL, port=port, experiment=planned)
            send(ends, address=CONTROL, port=port, experiment=planned, **(more if ends == outcome else {}))
    return story


def _register(rule: str, outcome: str, *, over_tls: bool) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(
                crossed(outcome, 5, over_tls=over_tls).case(),
                "likely_blocked network C2",
                "At five ports of a control the name meets the same, and a neutral name passes.",
            ),
            half(
                crossed(outcome, 4, over_tls=over_tls).case(),
                "impaired unknown C1",
                "Four ports are too few; at its own address every name fails.",
            ),
        )


for _layer, _over_tls, _what in (("tls", True, "sni"), ("http", False, "host")):
    for _action, _outcome in (("reset", "reset"), ("fin", "fin"), ("timeout", "silent")):
        _register(f"{_layer}.{_action}.{_what}.anywhere", _outcome, over_tls=_over_tls)
