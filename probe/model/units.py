"""Durations and sizes as people write them: a number always carries its unit."""

import re

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
LONGEST_S = 10 * 365 * 86400.0
LARGEST_BYTES = 2**60

_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|[smhdw]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([kKMGT]i?B|B)", re.ASCII)


def parse_duration(text: str) -> float:
    """Return seconds of `10s`, `5m`, `90d` or `1h30m`.

    Raises:
        ValueError: no unit, another unit, or longer than ten years.
    """
    compact = text.strip().replace(" ", "")
    if _DURATION.fullmatch(compact) is None:
        raise ValueError(f"not a duration: {text!r}")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in _DURATION_PART.findall(compact))
    if seconds > LONGEST_S:
        raise ValueError(f"longer than ten years: {text!r}")
    return seconds


def parse_size(text: str) -> int:
    """Return bytes of `2GB`, `500 MB` or `64KiB`.

    Raises:
        ValueError: no unit, another unit, or more than an exbibyte.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2] not in BYTES:
        raise ValueError(f"not a size: {text!r}")
    size = round(float(found[1]) * BYTES[found[2]])
    if size > LARGEST_BYTES:
        raise ValueError(f"larger than an exbibyte: {text!r}")
    return size


def render_duration(seconds: float) -> str:
    """Return the shortest exact way to write it, in one unit: `5 m`, `1 h`, `90 s`."""
    for unit in ("d", "h", "m"):
        if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0:
            return f"{seconds / SECONDS[unit]:.10g} {unit}"
    return f"{seconds:.10g} s"


def render_size(size: float) -> str:
    """Return two significant figures or more, in decimal units: `4.1 GB`, `640 MB`."""
    for unit in ("TB", "GB", "MB", "kB"):
        if size >= BYTES[unit]:
            scaled = size / BYTES[unit]
            return f"{scaled:,.0f} {unit}" if scaled >= 9.95 else f"{scaled:.1f} {unit}"
    return f"{size:.0f} B"


def is_duration(text: object) -> bool:
    """Tell whether it is a text that `parse_duration` reads."""
    try:
        parse_duration(text if isinstance(text, str) else "")
    except ValueError:
        return False
    return True
