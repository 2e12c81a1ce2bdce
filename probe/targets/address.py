"""One address as a person writes it becomes a target, with an id that derives from its canonical form."""

import difflib
import functools
import re

import msgspec

from probe.model.errors import UserError
from probe.model.settings import Defaults
from probe.model.target import CheckName, Exposure, GroupMode, Target
from probe.protocols import specs_by_scheme
from probe.targets.hosts import is_address
from probe.targets.identity import make_id
from probe.targets.schemes import FORMS, SCHEMES, Parsed
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits
from probe.targets.tunnel_texts import find_scheme
from probe.targets.tunnels import PRIVATE_INTERVAL_S, SPACING_S, Keep, parse_tunnel
from probe.targets.unspoken import explain_unspoken
from probe.targets.written_address import MAX_LENGTH, quote_address, split_address, split_scheme

_PAGES = (CheckName.WEB, CheckName.H3)
_TUNNEL_FILES = (".ovpn", ".conf")
"""Endings of a client's file that no site's name has."""
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]")
_SIMPLE_SITE = re.compile(
    r"(?:(https?)://)?((?:[a-z0-9_-]{1,63}\.){1,8}[a-z][a-z0-9-]{0,62})"
    r"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?(/[A-Za-z0-9/_.~%?&=+,;:@!$'()*|-]*)?",
    re.ASCII,
).fullmatch


def parse_address(
    text: str,
    *,
    source: str = "command line",
    traits: Traits | None = None,
    keep: Keep | None = None,
    reader: SecretReader | None = None,
) -> Target:
    """Read one address; `source` is the place that an error names.

    `keep` takes the secrets of a link; `reader` reads the list that it stands in.

    Raises:
        UserError: it is no address, or of a kind that is not checked.
    """
    traits = traits or Traits()
    text = text.strip()
    scheme = find_scheme(text)
    if scheme and scheme not in SCHEMES and scheme in specs_by_scheme():
        return apply_traits(parse_tunnel(text, scheme, source, keep, reader), traits)
    unspoken = explain_unspoken(scheme) if scheme and scheme not in SCHEMES else None
    if unspoken is not None:
        raise UserError(source, str(unspoken), unspoken.remedy)
    simple = _SIMPLE_SITE(text) if len(text) <= MAX_LENGTH else None
    bare_is_clear = simple is not None and not simple[3] and not text.endswith(_TUNNEL_FILES)
    if simple is not None and len(simple[2]) <= 253 and (simple[1] or bare_is_clear):
        parsed = _simple_site(simple[1] or "https", simple[2], simple[3], simple[4] or "/")
    else:
        parsed = _parse_any(text, source)
    _check_traits(parsed, traits, source)
    plain_host = parsed.host if parsed.address == f"https://{parsed.host}" else ""
    return Target(
        id=make_id(parsed.address, plain_host, traits.family, traits.request),
        check=parsed.check,
        address=parsed.address,
        host=parsed.host,
        port=parsed.port,
        path=parsed.path,
        secure=parsed.secure,
        family=traits.family,
        params=parsed.params,
        expect=traits.expect,
        request=traits.request,
        category=traits.category,
        group=traits.group,
        group_mode=traits.group_mode,
        labels=traits.labels,
        exposure=traits.exposure,
        interval_s=traits.interval_s,
        timeout_s=traits.timeout_s,
        source=source,
    )


def apply_traits(target: Target, traits: Traits) -> Target:
    """Put what stands beside an address onto a tunnel's target; what it is by itself stays."""
    exposure = target.exposure if traits.exposure is Exposure.PUBLIC else traits.exposure
    return msgspec.structs.replace(
        target,
        family=traits.family,
        category=traits.category,
        group=traits.group or target.group,
        group_mode=target.group_mode if traits.group_mode is GroupMode.LABEL else traits.group_mode,
        labels=traits.labels,
        params=target.params if traits.depth is None else {**target.params, "depth": traits.depth.value},
        alias=traits.alias,
        exposure=exposure,
        interval_s=max(traits.interval_s, PRIVATE_INTERVAL_S if exposure is Exposure.PRIVATE else SPACING_S),
        timeout_s=target.timeout_s if traits.timeout_s == Defaults().timeout_s else traits.timeout_s,
    )


def _simple_site(scheme: str, host: str, written_port: str | None, path: str) -> Parsed:
    """Most lines of most lists: nothing to encode."""
    secure = scheme == "https"
    default_port = 443 if secure else 80
    port = int(written_port or default_port)
    place = host if port == default_port else f"{host}:{port}"
    return Parsed(
        check=CheckName.WEB,
        address=f"{scheme}://{place}{'' if path == '/' else path}",
        host=host,
        port=port,
        path=path,
        secure=secure,
    )


def _parse_any(text: str, source: str) -> Parsed:
    if not text:
        raise UserError(source, "the address is empty", FORMS)
    if len(text) > MAX_LENGTH:
        raise UserError(source, f"an address of {len(text)} characters", f"keep it under {MAX_LENGTH}")
    scheme, rest = split_scheme(text)
    if not scheme and text.lower().endswith(_TUNNEL_FILES):
        raise UserError(source, f"{quote_address(text)} is no file that can be read", "check the name and the rights")
    if text.startswith(("/", "./", "../", "~")):
        what = f"{quote_address(text)} is a path, and no file that can be read"
        raise UserError(source, what, "check the name and the rights; a list is `file: PATH` in the configuration")
    if scheme and scheme not in SCHEMES:
        raise UserError(source, f"unknown scheme {scheme[:30]!r}", _suggest_scheme(scheme[:30]))
    if _UNPRINTABLE.search(text):
        raise UserError(source, f"{quote_address(text)} holds a blank or a control character", "one address per line")
    written = split_address(text, scheme, rest, source)
    return SCHEMES[scheme](written, text, source)


@functools.lru_cache(maxsize=256)
def _suggest_scheme(scheme: str) -> str:
    """Return the remedy; remembered, because one slip of an editor is in 100,000 lines."""
    near = difflib.get_close_matches(scheme, (*SCHEMES, *specs_by_scheme()), n=1)
    return f"did you mean {near[0]}://?" if near else FORMS


def _check_traits(parsed: Parsed, traits: Traits, source: str) -> None:
    """Refuse expectations and requests that could never be met."""
    if traits.family is not None and is_address(parsed.host) and (":" in parsed.host) != (traits.family == 6):
        what = f"family {int(traits.family)} is asked of {parsed.host}"
        raise UserError(source, what, "leave family out, or give an address of that family")
    if traits.request is not None and parsed.check not in _PAGES:
        raise UserError(
            source, f"request has no meaning for a {parsed.check} check", "leave it out, or write https://…"
        )
    if traits.depth is not None or traits.alias:
        word = "alias" if traits.depth is None else "depth"
        raise UserError(source, f"{word} has no meaning for a {parsed.check} check", "leave it out: it is for tunnels")
    if traits.expect is None:
        return
    expect = traits.expect
    web_only = expect.status or expect.body or expect.body_not or expect.headers
    if web_only and parsed.check not in _PAGES:
        what = f"expect.status, body and headers have no meaning for a {parsed.check} check"
        raise UserError(source, what, "leave them out, or write https://…")
    if expect.answer and parsed.check not in (CheckName.DNS, CheckName.DOT, CheckName.DOH):
        raise UserError(source, f"expect.answer has no meaning for a {parsed.check} check", "write dns://NAME")
    if expect.cert_sha256 and (parsed.check in (CheckName.DNS, CheckName.TCP, CheckName.ICMP) or not parsed.secure):
        raise UserError(source, "expect.cert_sha256 needs TLS", "write https://… or tls://…")
