"""Unbroken ok runs folded by the hour: how many, and min, mean and max of each duration.

Phases are stored as MessagePack integers, five for each: code, runs, min, sum, max; durations in units of 10 µs.
"""

from collections.abc import Iterable

import msgspec

from probe.model.outcome import PHASES
from probe.model.snapshot import Phase
from probe.store.values import PhaseSpread, Spread

UNITS_PER_S = 100_000
_FIELDS = 5
_FAMILIES = (0, 4, 6)
_CODES = {
    (name, family): number * len(_FAMILIES) + position
    for number, name in enumerate(PHASES)
    for position, family in enumerate(_FAMILIES)
}
_KEYS = {code: key for key, code in _CODES.items()}

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[int])


def encode_phases(phases: Iterable[Phase]) -> bytes:
    """Return the phases of one run."""
    return _ENCODER.encode(_flatten(phases))


def merge_phases(data: bytes, phases: Iterable[Phase]) -> bytes:
    """Return the folded phases with one more run in them."""
    folded = _DECODER.decode(data)
    places = {folded[at]: at for at in range(0, len(folded), _FIELDS)}
    more = _flatten(phases)
    for start in range(0, len(more), _FIELDS):
        code, _, units, _, _ = more[start : start + _FIELDS]
        at = places.get(code)
        if at is None:
            folded += more[start : start + _FIELDS]
            continue
        folded[at + 1] += 1
        folded[at + 2] = min(folded[at + 2], units)
        folded[at + 3] += units
        folded[at + 4] = max(folded[at + 4], units)
    return _ENCODER.encode(folded)


def decode_phases(data: bytes) -> tuple[PhaseSpread, ...]:
    """Read folded phases; a code of a later version is left out.

    Raises:
        msgspec.DecodeError: the data is damaged.
    """
    folded = _DECODER.decode(data)
    spreads = []
    for start in range(0, len(folded) - _FIELDS + 1, _FIELDS):
        code, runs, low, total, high = folded[start : start + _FIELDS]
        if code not in _KEYS or runs < 1:
            continue
        name, family = _KEYS[code]
        durations = Spread(min_s=low / UNITS_PER_S, mean_s=total / runs / UNITS_PER_S, max_s=high / UNITS_PER_S)
        spreads.append(PhaseSpread(name=name, family=family, runs=runs, durations=durations))
    return tuple(spreads)


def _flatten(phases: Iterable[Phase]) -> list[int]:
    flat: list[int] = []
    for phase in phases:
        code = _CODES.get((phase.name, phase.family))
        if code is not None:
            units = max(0, round(phase.duration_s * UNITS_PER_S))
            flat += (code, 1, units, units, units)
    return flat
