"""Registrable domains: what of a name its owner registered.

Source: publicsuffix.org, as publicsuffixlist carries it.
"""

import functools

from publicsuffixlist import PublicSuffixList


@functools.cache
def _suffixes() -> PublicSuffixList:
    # Read on first use: 30 ms that a check with a good answer never pays.
    return PublicSuffixList()


@functools.lru_cache(maxsize=65536)
def registrable_domain(name: str) -> str:
    """Return `example.co.uk` of `www.example.co.uk`.

    A suffix, a single label and an address literal (whose last label is a number, or which has a colon) are their own.
    """
    if ":" in name or name.rpartition(".")[2].isdigit():
        return name
    return _suffixes().privatesuffix(name) or name
