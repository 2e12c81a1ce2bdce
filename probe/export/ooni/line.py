"""A measurement as one line of an OONI report: `web_connectivity`, data format 0.2.0.

Source: OONI spec df-000 (top level), ts-017 (test keys). What we conclude is mapped as well as OONI's words can say
it, and stands whole in `x_wallprobe`; experiments are not part of OONI's test and stand in `x_experiments`.
"""

from typing import Any

import msgspec

from probe import __version__
from probe.export.ooni.control import build_comparison_keys, build_control_keys
from probe.export.ooni.records import Records
from probe.export.ooni.scrub import SCRUBBED, Scrubber
from probe.export.ooni.sent import Sent
from probe.export.ooni.verdict import build_verdict_keys
from probe.model.experiment import NameKind, Step
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, Observation, Role, Transport
from probe.model.target import CheckName
from probe.model.vantage import Vantage
from probe.protocols.ooni.small_parts import write_time

TEST_VERSION = "0.5.28"
"""The version of OONI's test whose keys these are."""
_encode = msgspec.json.Encoder().encode


def can_render(measurement: Measurement) -> bool:
    """Tell whether OONI has a test for what was measured: web pages only."""
    return measurement.target.check is CheckName.WEB


def render_ooni(measurement: Measurement, scrubber: Scrubber) -> bytes:
    """Return the measurement as one line of JSON, our own addresses scrubbed.

    Raises:
        ValueError: OONI has no test for it (`can_render`).
    """
    if not can_render(measurement):
        raise ValueError(f"no OONI test for a {measurement.target.check.value} check")
    return _encode(_build_top(measurement, scrubber)) + b"\n"


def _build_top(measurement: Measurement, scrubber: Scrubber) -> dict[str, Any]:
    vantage = measurement.vantage
    started = write_time(measurement.started_at)
    return {
        "annotations": {"engine_name": "wallprobe", "engine_version": __version__, "origin": "wallprobe"},
        "data_format_version": "0.2.0",
        "extensions": {"dnst": 0, "httpt": 0, "netevents": 0, "tcpconnect": 0, "tlshandshake": 0},
        "input": scrubber.text(_input_of(measurement)),
        "measurement_start_time": started,
        "options": [],
        "probe_asn": f"AS{vantage.asn}",
        "probe_cc": vantage.country_code,
        "probe_ip": "127.0.0.1",
        "probe_network_name": vantage.as_name,
        "report_id": "",
        "resolver_asn": f"AS{vantage.resolver_asn}",
        "resolver_ip": "127.0.0.2",
        "resolver_network_name": "",
        "software_name": "wallprobe",
        "software_version": _software_version(vantage),
        "test_helpers": {},
        "test_name": "web_connectivity",
        "test_runtime": measurement.runtime_s,
        "test_start_time": started,
        "test_version": TEST_VERSION,
        "test_keys": _build_keys(measurement, scrubber),
    }


def _input_of(measurement: Measurement) -> str:
    """Return the URL with its path, as OONI's lists have it."""
    target = measurement.target
    return target.address if target.path != "/" else f"{target.address.removesuffix('/')}/"


def _software_version(vantage: Vantage) -> str:
    return vantage.software_version or __version__


def _build_keys(measurement: Measurement, scrubber: Scrubber) -> dict[str, Any]:
    names = {e.id for e in measurement.experiments if e.step is Step.LOOKUP and e.name_kind is NameKind.TEST}
    own = [o for o in measurement.observations if _is_ooni_step(o, names)]
    others = [o for o in measurement.observations if o.role is Role.EXPERIMENT and not _is_ooni_step(o, names)]
    sent = Sent(measurement)
    records = Records(scrubber, own, sent)
    experiments = Records(scrubber, others, sent)
    return {
        "agent": "redirect",
        "client_resolver": _client_resolver(own, scrubber),
        "retries": None,
        "socksproxy": None,
        "network_events": records.network_events,
        "x_quic_handshakes": records.quic_handshakes,
        "queries": records.queries,
        "requests": records.requests,
        "tcp_connect": records.tcp_connect,
        "tls_handshakes": records.tls_handshakes,
        "x_control_request": None,
        "x_dns_duplicate_responses": records.duplicates,
        "x_experiments": {
            "queries": experiments.queries,
            "requests": experiments.requests,
            "tcp_connect": experiments.tcp_connect,
            "tls_handshakes": experiments.tls_handshakes,
            "x_dns_duplicate_responses": experiments.duplicates,
        },
        **build_control_keys(measurement, scrubber),
        **build_comparison_keys(measurement),
        **build_verdict_keys(measurement),
    }


def _is_ooni_step(observation: Observation, names: set[str]) -> bool:
    """Tell whether OONI's test makes such a step too: the check's own, and the name asked of other resolvers."""
    if observation.role is Role.TARGET:
        return not observation.experiment
    return isinstance(observation, DNSLookup) and observation.experiment in names


def _client_resolver(observations: list[Observation], scrubber: Scrubber) -> str:
    """Return the nameserver that this host asks; scrubbed when it is the host itself, or not known."""
    for observation in observations:
        if isinstance(observation, DNSLookup) and observation.resolver.system:
            if observation.resolver.transport is Transport.GETADDRINFO or observation.resolver.endpoint is None:
                break
            return scrubber.text(observation.resolver.endpoint.address)
    return SCRUBBED
