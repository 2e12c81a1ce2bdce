"""All pairs: a module of stories is told here once, and registers its pairs by being read."""

from tests.golden import (  # noqa: F401 (they register their stories)
    control_names,
    controls,
    crossed,
    floors,
    flows,
    forgery,
    injected,
    names,
    nowhere,
    pages,
    paths,
    quic,
    resends,
    residuals,
    routes,
    shapes,
    shares,
    traces,
    trust,
    tunnel_flows,
    tunnels,
)
from tests.golden.story import PAIRS

__all__ = ["PAIRS"]
