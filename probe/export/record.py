"""A measurement as one JSON object: what `check --json` and the API give."""

from typing import Any

import msgspec

from probe.model.measurement import Measurement


def build_record(measurement: Measurement) -> dict[str, Any]:
    """Return plain values for JSON: the verdict's axes on top, evidence and observations below. Bytes are base64."""
    verdict = measurement.verdict
    return {
        "id": measurement.id,
        "target": measurement.target.address,
        "target_id": measurement.target.id,
        "check": measurement.target.check.value,
        "status": verdict.status.value,
        "patterns": [pattern.value for pattern in verdict.patterns],
        "cause": verdict.cause.value,
        "confidence": int(verdict.confidence),
        "depth": verdict.depth.value,
        "summary": verdict.summary,
        "locus": verdict.locus,
        "rule_id": verdict.rule_id,
        "rules_version": verdict.rules_version,
        "runtime_s": measurement.runtime_s,
        "started_at": measurement.started_at,
        "continues": measurement.continues,
        "interrupted": measurement.interrupted,
        "works": list(verdict.works),
        "evidence": msgspec.to_builtins(verdict.evidence),
        "pending": msgspec.to_builtins(verdict.pending),
        "vantage": msgspec.to_builtins(measurement.vantage),
        "baseline": msgspec.to_builtins(measurement.baseline),
        "experiments": msgspec.to_builtins(measurement.experiments),
        "cites": [
            {"measurement": c.measurement, "age_s": c.age_s, "runtime_s": c.runtime_s} for c in measurement.cites
        ],
        "observations": msgspec.to_builtins(measurement.observations),
    }
