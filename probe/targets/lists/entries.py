"""One entry of a YAML list, or of `targets:` in the configuration: an address, and what is written beside it."""

import re

import msgspec

from probe.model.depth import Depth, TunnelDepth
from probe.model.endpoint import AddressFamily
from probe.model.errors import UserError
from probe.model.target import Exposure, GroupMode, Target
from probe.model.written import Written
from probe.protocols.written.fields import Fields
from probe.targets.address import apply_traits, parse_address
from probe.targets.expectations import read_expect, read_request
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits
from probe.targets.tunnels import is_tunnel_place, load_tunnels

SHORTEST_INTERVAL_S = 1.0
LONGEST_INTERVAL_S = 30 * 86400.0
SHORTEST_TIMEOUT_S = 0.1
LONGEST_TIMEOUT_S = 300.0
RESERVED_LABELS = frozenset(
    {
        "target",
        "group",
        "status",
        "pattern",
        "cause",
        "family",
        "depth",
        "check",
        "failure",
        "phase",
        "kind",
        "category",
    }
)
"""Labels that the metrics set themselves."""

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,127}", re.ASCII).fullmatch
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", re.ASCII).fullmatch
_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


def read_traits(fields: Fields, base: Traits) -> Traits:
    """Read what stands beside an address, on top of what it inherits; mistakes are noted in `fields`."""
    family = fields.text("family")
    if family not in ("", "4", "6"):
        fields.errors.append(UserError(fields.place(fields.line), f"family: {family[:20]!r}", "write 4 or 6"))
    expect = fields.mapping("expect")
    request = fields.mapping("request")
    return msgspec.structs.replace(
        base,
        interval_s=fields.duration("interval", base.interval_s, low=SHORTEST_INTERVAL_S, high=LONGEST_INTERVAL_S),
        timeout_s=fields.duration("timeout", base.timeout_s, low=SHORTEST_TIMEOUT_S, high=LONGEST_TIMEOUT_S),
        group=_line_of_text(fields, "group", base.group),
        group_mode=fields.choice("group_mode", GroupMode, base.group_mode),
        category=_line_of_text(fields, "category", base.category),
        labels=read_labels(fields, base.labels),
        exposure=fields.choice("exposure", Exposure, base.exposure),
        family=AddressFamily(int(family)) if family in ("4", "6") else base.family,
        expect=base.expect if expect is None else read_expect(expect),
        request=base.request if request is None else read_request(request),
        depth=_read_depth(fields, base.depth),
        alias=_read_alias(fields, base.alias),
    )


def _read_depth(fields: Fields, inherited: Depth | None) -> Depth | None:
    """Read how far a tunnel is gone into."""
    return Depth(fields.choice("depth", TunnelDepth, TunnelDepth.PROOF)) if fields.has("depth") else inherited


def _read_alias(fields: Fields, inherited: str) -> str:
    alias = _line_of_text(fields, "alias", inherited)
    if alias == inherited or _ALIAS(alias):
        return alias
    remedy = "begin with a letter or digit; then letters, digits, blanks, dots and dashes, 40 at most"
    fields.errors.append(UserError(fields.place(fields.line_of("alias")), f"alias: {alias[:40]!r} is no good", remedy))
    return inherited


def read_labels(fields: Fields, inherited: dict[str, str]) -> dict[str, str]:
    """Read labels for `wallprobe_target_info`; own ones win over inherited ones."""
    written = fields.words("labels")
    if not written:
        return inherited
    kept: dict[str, str] = {}
    for name, value in written.items():
        problem = label_problem(name)
        if problem:
            remedy = "use letters, digits and _, and none of the names that the metrics set"
            fields.errors.append(UserError(fields.place(fields.line), f"label {name[:40]!r} {problem}", remedy))
        else:
            kept[name] = value
    return {**inherited, **kept} if kept else inherited


def label_problem(name: str) -> str:
    """Say why it cannot be a label's name; empty = it can."""
    if _LABEL(name) is None:
        return "is not a label name"
    return "is set by the metrics themselves" if name in RESERVED_LABELS else ""


def _line_of_text(fields: Fields, key: str, default: str) -> str:
    text = fields.text(key, default)
    if len(text) > 128 or _BREAKS.search(text):
        fields.errors.append(UserError(fields.place(fields.line), f"{key} is too long", "one line of 128 characters"))
        return default
    return text


def read_entry(
    written: Written, file: str, base: Traits, errors: list[UserError], reader: SecretReader | None = None
) -> tuple[Target, ...]:
    """Read one entry, a scalar or a mapping with `uri`; nothing = it is wrong, and `errors` says how."""
    if isinstance(written.value, str):
        return read_address(written.value, f"{file}:{written.line}", base, errors, reader)
    own: list[UserError] = []
    fields = Fields(written, file, own)
    uri = fields.text("uri")
    traits = read_traits(fields, base)
    fields.finish()
    if not uri and not own:
        remedy = "write `- https://www.example.org/` or `- uri: https://www.example.org/`"
        own.append(UserError(fields.place(written.line), "the entry has no uri", remedy))
    if own:
        errors.extend(own)
        return ()
    return read_address(uri, f"{file}:{written.line}", traits, errors, reader)


def read_address(
    text: str, place: str, traits: Traits, errors: list[UserError], reader: SecretReader | None = None
) -> tuple[Target, ...]:
    """Read an address in a list; of a tunnel's file, all its endpoints. Nothing = it is wrong, `errors` says how.

    `reader` is the list's own, where it has many: links with secrets are held against the line that they stand in.
    """
    try:
        if is_tunnel_place(text):
            if place.startswith(("http://", "https://")):
                raise UserError(place, "names a file, and the list came by URL", "name files in a list on disk only")
            found = load_tunnels(text)
            errors.extend(found.mistakes)
            return tuple(apply_traits(target, traits) for target in found.targets)
        return (parse_address(text, source=place, traits=traits, reader=reader),)
    except UserError as error:
        errors.append(error)
        return ()
