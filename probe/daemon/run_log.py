"""One line a run, with a level of its own (`--log.prober`): debug = fine, info = not usable."""

import logging

from probe.model.measurement import Measurement

log = logging.getLogger("wallprobe.measurement")


def log_run(measurement: Measurement) -> None:
    """Write the line, if anybody wants it."""
    verdict = measurement.verdict
    level = logging.DEBUG if verdict.status.reachable else logging.INFO
    if not log.isEnabledFor(level):
        return
    log.log(
        level,
        "measured",
        extra={
            "target": measurement.target.id,
            "status": verdict.status.value,
            "patterns": ",".join(verdict.patterns),
            "confidence": verdict.confidence.value,
            "duration_s": round(measurement.runtime_s, 3),
            "measurement": measurement.id,
        },
    )
