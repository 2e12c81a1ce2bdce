"""A measurement as bytes, with certificates and page bodies taken out, because those repeat.

Each certificate becomes its SHA-256 in the chain. A body is left out whole; `body_sha256` stays, so a body that was
not kept reads as an empty one with a hash.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping

import msgspec

from probe.model.measurement import Measurement
from probe.model.observation import HTTPExchange, Observation, TLSHandshake

SMALL_BODY_BYTES = 256
"""A body up to this size stays where it is."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Measurement)


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a measurement as they are stored."""

    record: bytes
    bodies: tuple[tuple[int, bytes], ...]
    """Position of the observation (own ones first, then those of each citation) and its body."""
    certificates: dict[bytes, bytes]
    """DER by SHA-256."""


def pack(measurement: Measurement) -> Packed:
    """Take a measurement apart.

    Raises:
        ValueError: it cannot be encoded, because a text in it is no Unicode.
        OverflowError: a number in it is out of all range.
    """
    bodies: list[tuple[int, bytes]] = []
    certificates: dict[bytes, bytes] = {}
    positions = iter(range(1 << 31))

    def strip(observation: Observation) -> Observation:
        position = next(positions)
        if isinstance(observation, TLSHandshake):
            return _without_chain(observation, certificates) if observation.chain else observation
        if isinstance(observation, HTTPExchange) and len(observation.body) > SMALL_BODY_BYTES:
            bodies.append((position, observation.body))
            return _with_body(observation, b"")
        return observation

    slim = _map_observations(measurement, strip)
    return Packed(record=_ENCODER.encode(slim), bodies=tuple(bodies), certificates=certificates)


def pack_or_nothing(measurement: Measurement) -> Packed | None:
    """Return `None` for what cannot be encoded."""
    try:
        return pack(measurement)
    except (ValueError, OverflowError, TypeError):
        return None


def unpack(record: bytes, bodies: Mapping[int, bytes], certificate: Callable[[bytes], bytes]) -> Measurement:
    """Put a measurement together again; `certificate` returns the DER of a SHA-256.

    Raises:
        msgspec.DecodeError: the record is not of this version, or damaged.
    """
    positions = iter(range(1 << 31))

    def fill(observation: Observation) -> Observation:
        position = next(positions)
        if isinstance(observation, TLSHandshake) and observation.chain:
            return _with_chain(observation, tuple(certificate(sha256) for sha256 in observation.chain))
        if isinstance(observation, HTTPExchange) and position in bodies:
            return _with_body(observation, bodies[position])
        return observation

    return _map_observations(_DECODER.decode(record), fill)


def decode_record(record: bytes) -> Measurement:
    """Return the stored form alone, certificates as hashes and bodies missing.

    Raises:
        msgspec.DecodeError: the record is not of this version, or damaged.
    """
    return _DECODER.decode(record)


def encode_record(slim: Measurement) -> bytes:
    """Turn what `decode_record` gave back into bytes."""
    return _ENCODER.encode(slim)


def is_whole(measurement: Measurement) -> bool:
    """Tell whether every body is still there: only then may it be judged again."""
    return all(
        observation.body or not observation.body_sha256
        for observation in _all_observations(measurement)
        if isinstance(observation, HTTPExchange)
    )


def _all_observations(measurement: Measurement) -> Iterator[Observation]:
    yield from measurement.observations
    for citation in measurement.cites:
        yield from citation.observations


def _map_observations(measurement: Measurement, change: Callable[[Observation], Observation]) -> Measurement:
    """Return a copy with every observation replaced by what `change` makes of it.

    Copies are made by hand: `msgspec.structs.replace` takes ten times as long, and this runs for every run.
    """
    changed = copy.copy(measurement)
    msgspec.structs.force_setattr(changed, "observations", tuple(map(change, measurement.observations)))
    if measurement.cites:
        citations = []
        for citation in measurement.cites:
            copied = copy.copy(citation)
            msgspec.structs.force_setattr(copied, "observations", tuple(map(change, citation.observations)))
            citations.append(copied)
        msgspec.structs.force_setattr(changed, "cites", tuple(citations))
    return changed


def _without_chain(observation: TLSHandshake, certificates: dict[bytes, bytes]) -> TLSHandshake:
    hashes = []
    for der in observation.chain:
        sha256 = hashlib.sha256(der).digest()
        certificates[sha256] = der
        hashes.append(sha256)
    return _with_chain(observation, tuple(hashes))


def _with_chain(observation: TLSHandshake, chain: tuple[bytes, ...]) -> TLSHandshake:
    changed = copy.copy(observation)
    msgspec.structs.force_setattr(changed, "chain", chain)
    return changed


def _with_body(observation: HTTPExchange, body: bytes) -> HTTPExchange:
    changed = copy.copy(observation)
    msgspec.structs.force_setattr(changed, "body", body)
    return changed
