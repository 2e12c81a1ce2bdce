"""Which AS an address belongs to, from a file that the operator has: nobody is ever asked over the network.

Source: the MaxMind DB format 2.0; fields as GeoLite2-ASN and DB-IP (`autonomous_system_number`), IPinfo and others
(`asn`, a number or `AS64496`) write them.
"""

import contextlib
import functools
from types import TracebackType
from typing import TYPE_CHECKING, Self

from probe.model.errors import UserError

if TYPE_CHECKING:
    import maxminddb

CACHED_ADDRESSES = 65536
_FIELDS = ("autonomous_system_number", "asn")


class AsnLookup:
    """Long-lived; close it, or use it as a block."""

    def __init__(self, reader: "maxminddb.Reader") -> None:
        self._reader = reader
        self.asn_of = functools.lru_cache(maxsize=CACHED_ADDRESSES)(self._find)
        """Return the AS number of an address literal; 0 = not known."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open an mmdb file.

        Raises:
            UserError: it cannot be read, or is none.
        """
        import maxminddb  # few operators have a file, and reading the library takes 20 ms

        try:
            return cls(maxminddb.open_database(path))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            problem = error.strerror if isinstance(error, OSError) and error.strerror else "it is no mmdb file"
            raise UserError(
                path, f"no AS data: {problem}", "give the path of a GeoLite2-ASN or DB-IP mmdb file"
            ) from None

    def _find(self, address: str) -> int:
        try:
            record = self._reader.get(address)
        except (ValueError, _damage()):
            # An IPv6 address in an IPv4 file, text that is no address, or a damaged part of the file: not known.
            return 0
        if not isinstance(record, dict):
            return 0
        for field in _FIELDS:
            number = read_asn(record.get(field))
            if number:
                return number
        return 0

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_asn(value: object) -> int:
    """Return the number of 64496, "64496" or "AS64496"; 0 = it is none."""
    if isinstance(value, int):
        return value if 0 < value < 2**32 else 0
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return read_asn(int(value.upper().removeprefix("AS")))
    return 0


def _damage() -> type[Exception]:
    """Return what a damaged file raises; asked when something was raised, so the library is there."""
    from maxminddb import InvalidDatabaseError

    return InvalidDatabaseError
