"""What a ladder of stages says, and what it says that it does not mean."""

import pytest

from probe.export.text.stages import write_stages
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.observation import DialogueExchange, StageReached


@pytest.mark.parametrize(
    ("answer", "depth", "says"),
    [
        ("cover site", Depth.REACH, "reach ✓ 46 ms (the cover site alone; the tunnel is not tried)"),
        ("control connection", Depth.HELLO, "hello ✓ 46 ms (the control connection alone; its tunnel is not tried)"),
        ("echo", Depth.DATA, "data ✓ 46 ms"),
        ("", Depth.HELLO, "hello ✓ 46 ms"),
    ],
)
def test_a_stage_never_reads_like_more_than_it_is(answer: str, depth: Depth, says: str) -> None:
    exchange = DialogueExchange(
        transaction=1, t0_s=0.0, t_s=0.1, endpoint=Endpoint(address="192.0.2.1", port=443), protocol="p",
        transport="tcp", depth=depth, stages=(StageReached(depth=depth, t_s=0.046),), reply={"answer": answer},
    )  # fmt: skip
    assert write_stages(exchange) == says
