"""The last ok run of each target, held back until something changes: then it is what the target looked like before.

The newest are held as they are. Older ones are packed and compressed without their page, about half a kilobyte each;
with few targets none ever gets that old, and holding costs nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator

import zstandard

from probe.model.measurement import Measurement
from probe.model.observation import HTTPExchange
from probe.store.pack import Packed, pack_or_nothing

_OPEN_BYTES = 16 << 20
_LEVEL = -1
"""Half the time of level 1, for the same size."""
_OVERHEAD_BYTES = 16 << 10
"""What a measurement without its page takes in memory, certificates included."""

KeepCertificates = Callable[[dict[bytes, bytes]], None]


class Held:
    """At most one measurement per target."""

    def __init__(self, keep_certificates: KeepCertificates, limit_bytes: int = _OPEN_BYTES) -> None:
        self._keep_certificates = keep_certificates
        self._limit_bytes = limit_bytes
        self._open: OrderedDict[int, tuple[Measurement, int]] = OrderedDict()
        self._open_bytes = 0
        self._closed: dict[int, bytes] = {}
        self._prefix = b""
        self._compressor: zstandard.ZstdCompressor | None = None

    def put(self, target_no: int, measurement: Measurement) -> None:
        """Hold this one instead of what was held for the target."""
        self.drop(target_no)
        weight = _OVERHEAD_BYTES + sum(len(o.body) for o in measurement.observations if isinstance(o, HTTPExchange))
        self._open[target_no] = (measurement, weight)
        self._open_bytes += weight
        while self._open_bytes > self._limit_bytes and len(self._open) > 1:
            number, (oldest, weight) = self._open.popitem(last=False)
            self._open_bytes -= weight
            self._close(number, oldest)

    def get(self, target_no: int) -> Packed | None:
        """Return what is held for the target; `None` = nothing."""
        known = self._open.get(target_no)
        if known is not None:
            return pack_or_nothing(known[0])
        data = self._closed.get(target_no)
        return unseal(self._prefix, data) if data is not None else None

    def drop(self, target_no: int) -> None:
        """Hold nothing for the target any more."""
        self._closed.pop(target_no, None)
        known = self._open.pop(target_no, None)
        if known is not None:
            self._open_bytes -= known[1]

    def dump(self) -> Iterator[tuple[int, bytes]]:
        """Yield all that is held as `unseal` reads it, by target: for a clean stop.

        Certificates of what is yielded go to `keep_certificates` first.
        """
        yield from self._closed.items()
        for target_no, (measurement, _) in self._open.items():
            sealed = self._seal(measurement)
            if sealed is not None:
                yield target_no, sealed

    @property
    def prefix(self) -> bytes:
        """Return what `unseal` needs beside each piece of a dump; known once something was dumped."""
        return self._prefix

    def _close(self, target_no: int, measurement: Measurement) -> None:
        sealed = self._seal(measurement)
        if sealed is not None:
            self._closed[target_no] = sealed

    def _seal(self, measurement: Measurement) -> bytes | None:
        """Compress with the first record as prefix: measurements have their field names in common."""
        packed = pack_or_nothing(measurement)
        if packed is None:
            return None
        if self._compressor is None:
            self._prefix = packed.record
            dictionary = zstandard.ZstdCompressionDict(self._prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            dictionary.precompute_compress(level=_LEVEL)
            self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary)
        self._keep_certificates(packed.certificates)
        # The compressor's result occupies as much memory as the longest possible one; a copy only what it needs.
        return bytes(memoryview(self._compressor.compress(packed.record)))


def unseal(prefix: bytes, data: bytes) -> Packed:
    """Read a piece of a dump; its page is gone, its certificates are in the database.

    Raises:
        zstandard.ZstdError: the data is damaged, or of another dump.
    """
    dictionary = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    record = zstandard.ZstdDecompressor(dict_data=dictionary).decompress(data)
    return Packed(record=record, bodies=(), certificates={})
