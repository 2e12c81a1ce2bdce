"""The mailed report: the pages' style and pictures in one file, without a script."""

from probe.export.period import Period
from probe.export.pictures.cells import HEIGHTS
from probe.export.pictures.shares import render_shares
from probe.model.cell import LAYERS, SEVERITY
from probe.web.templating import picture, read_static, render


def render_report(period: Period, limit: int) -> str:
    """Return the file; at most so many targets are drawn."""
    troubled = period.troubled
    known = {target.id for target in troubled}
    return render(
        "report.html",
        period=period,
        troubled=troubled,
        shown=troubled[:limit],
        fine=[target for target in period.targets if target.id not in known],
        addresses={target.id: target.address for target in period.targets},
        shares=picture(render_shares(period.counts, period.axis)),
        style=picture(read_static("app.css").decode()),
        order=tuple(reversed(SEVERITY)),
        layers=LAYERS[1:],
        heights=HEIGHTS,
    ).decode()
