"""What of this host decides how well it measures: each thing looked at, with what to do about it. Nothing is sent.

Source: capabilities(7), adjtimex(2), resolv.conf(5), ip-sysctl and nf_conntrack-sysctl of the kernel's documentation.
Where the system does not say (macOS, a container without /proc/sys), the thing is skipped, not guessed.
"""

import ctypes
import ipaddress
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from probe.gate.descriptors import raise_descriptor_limit, usable_sockets
from probe.model.settings import Settings
from probe.model.units import render_size
from probe.net.capabilities import Capabilities
from probe.net.resolv_conf import parse_resolv_conf
from probe.store.place import find_path

TIME_ERROR = 5
"""What adjtimex(2) returns when nobody disciplines the clock."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
FAR_PAST_S = 1_767_225_600.0
"""1 January 2026: a clock before that was never set, and no certificate would be valid."""


class Level(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    name: str
    level: Level
    what: str
    remedy: str = ""


def read_clock_state() -> int | None:
    """Return what adjtimex(2) says of the clock, changing nothing; `None` = it cannot be asked."""
    if sys.platform != "linux":
        return None
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return state if state >= 0 else None


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look; tests give a host of their own."""

    capabilities: Capabilities
    addresses: tuple[str, ...]
    wall_s: float
    environ: Mapping[str, str]
    root: Path = Path("/")
    clock_state: Callable[[], int | None] = read_clock_state

    def sysctl(self, name: str) -> str | None:
        """Return a setting of the kernel; `None` = it has none of this name."""
        return self.text(f"proc/sys/{name.replace('.', '/')}")

    def text(self, path: str) -> str | None:
        """Return what a small file holds; `None` = it cannot be read."""
        try:
            return (self.root / path).read_text("utf-8", "replace").strip()
        except OSError:
            return None


def look_at(host: Host, settings: Settings) -> list[Finding]:
    """Return a finding for each thing, in the order in which people mend them."""
    return [
        _clock(host),
        _resolver(host),
        _ipv6(host),
        _raw(host),
        _ping(host),
        _error_queue(host),
        _descriptors(settings),
        _ports(host, settings),
        _conntrack(host, settings),
        _disk(host, settings),
        _proxy(host),
    ]


def _ok(name: str, what: str) -> Finding:
    return Finding(name=name, level=Level.OK, what=what)


def _warn(name: str, what: str, remedy: str) -> Finding:
    return Finding(name=name, level=Level.WARN, what=what, remedy=remedy)


def _fail(name: str, what: str, remedy: str) -> Finding:
    return Finding(name=name, level=Level.FAIL, what=what, remedy=remedy)


def _skipped(name: str) -> Finding:
    return Finding(name=name, level=Level.SKIPPED, what="this system does not say")


def _clock(host: Host) -> Finding:
    if host.wall_s < FAR_PAST_S:
        return _fail("clock", "it stands in the past: no certificate is valid then", "set it: timedatectl set-ntp true")
    state = host.clock_state()
    if state is None:
        return _skipped("clock")
    if state == TIME_ERROR:
        what = "nobody keeps it right: certificates and `since` depend on it"
        return _warn("clock", what, "apt install systemd-timesyncd, or chrony; in a container it is the host's")
    return _ok("clock", "kept by a time service")


def _resolver(host: Host) -> Finding:
    text = host.text("etc/resolv.conf")
    named = [line for line in (text or "").splitlines() if line.split()[:1] == ["nameserver"]]
    if not named:
        return _fail("resolver", "/etc/resolv.conf names no nameserver", "write `nameserver ADDRESS` into it")
    addresses = [one.endpoint.address for one in parse_resolv_conf(text or "").resolvers if one.endpoint is not None]
    listed = ", ".join(addresses)
    local = all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)
    if local:
        what = f"{listed}: a resolver on this host, so answers are what it made of the network's"
        return _warn("resolver", what, "name the network's own resolver, if that is whose answers you want to judge")
    return _ok("resolver", listed)


def _ipv6(host: Host) -> Finding:
    if host.sysctl("net.ipv6.conf.all.disable_ipv6") == "1":
        remedy = "sysctl net.ipv6.conf.all.disable_ipv6=0, if the network has it"
        return _warn("ipv6", "turned off: nothing is said of targets over it", remedy)
    literals = [ipaddress.ip_address(address.partition("%")[0]) for address in host.addresses]
    if any(literal.version == 6 and not (literal.is_link_local or literal.is_private) for literal in literals):
        return _ok("ipv6", "there is an address beyond the link")
    return _warn(
        "ipv6", "no address beyond the link: nothing is said of targets over it", "none, if the network has none"
    )


def _raw(host: Host) -> Finding:
    if host.capabilities.raw_socket:
        return _ok("raw sockets", "allowed")
    remedy = "AmbientCapabilities=CAP_NET_RAW in the unit (deploy/systemd has it); not setcap on the interpreter"
    return _warn("raw sockets", "not allowed: no packet evidence, everything else works", remedy)


def _ping(host: Host) -> Finding:
    if host.capabilities.ping_socket or host.capabilities.raw_socket:
        return _ok("icmp echo", "allowed")
    remedy = "sysctl net.ipv4.ping_group_range='0 2147483647'"
    return _warn("icmp echo", "not allowed: icmp:// targets have no data", remedy)


def _error_queue(host: Host) -> Finding:
    if host.capabilities.error_queue and host.capabilities.tcp_info:
        return _ok("socket facts", "error queue and TCP_INFO")
    remedy = "run on Linux 4.1 or later, not in a sandbox that emulates it (gVisor)"
    return _warn("socket facts", "no error queue or TCP_INFO: who sent an error stays unknown", remedy)


def _descriptors(settings: Settings) -> Finding:
    wanted = settings.limits.sockets
    raise_descriptor_limit(wanted)
    usable = usable_sockets(wanted)
    if usable >= wanted:
        return _ok("descriptors", f"enough for {wanted} sockets")
    remedy = f"LimitNOFILE={wanted + 256} in the unit, or ulimit -n"
    return _warn("descriptors", f"enough for {usable} of {wanted} sockets: in-flight is clamped", remedy)


def _ports(host: Host, settings: Settings) -> Finding:
    text = host.sysctl("net.ipv4.ip_local_port_range")
    if text is None:
        return _skipped("local ports")
    low, high = (int(word) for word in text.split()[:2])
    # A closed connection holds its port for a minute.
    needed = settings.limits.connections_per_s * 60
    if high - low >= needed:
        return _ok("local ports", f"{high - low + 1}")
    what = f"{high - low + 1}, and {needed:.0f} may be in use: connections will fail"
    return _fail("local ports", what, "sysctl net.ipv4.ip_local_port_range='1024 65535'")


def _conntrack(host: Host, settings: Settings) -> Finding:
    text, used = host.sysctl("net.netfilter.nf_conntrack_max"), host.sysctl("net.netfilter.nf_conntrack_count")
    if text is None:
        return _ok("conntrack", "not loaded")
    free, needed = int(text) - int(used or 0), settings.limits.connections_per_s * 120
    if free >= needed:
        return _ok("conntrack", f"{free} places free")
    remedy = f"sysctl net.netfilter.nf_conntrack_max={int(text) + int(needed)}"
    return _warn("conntrack", f"{free} places free: this host would drop packets, and look like a filter", remedy)


def _disk(host: Host, settings: Settings) -> Finding:
    path = find_path(settings.store.path, host.environ)
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return _fail("disk", f"{folder}: {error.strerror}", "set store.path to a folder that this user may enter")
    if not os.access(path if path.exists() else folder, os.W_OK):
        return _fail("disk", f"{folder} cannot be written by this user", "set store.path, or change the owner")
    used = path.stat().st_size if path.exists() else 0
    needed = max(0, settings.store.max_size_bytes - used)
    if free >= needed:
        return _ok("disk", f"{render_size(free)} free in {folder}")
    what = f"{render_size(free)} free in {folder}, and the database may grow by {render_size(needed)}"
    return _warn("disk", what, "free some, or lower store.max_size")


def _proxy(host: Host) -> Finding:
    named = sorted({name for name in host.environ if name.lower() in PROXIES and host.environ[name]})
    if not named:
        return _ok("proxy", "none in the environment")
    what = f"{', '.join(named)}: people here go through a proxy, measurements do not"
    return _warn("proxy", what, "measure where no proxy is needed, or read verdicts as those of the direct way")
