"""`web.config_file` in force: rate limit, then authentication, then headers; read again when a file changes.

Certificates rotate without a reload: the files are looked at every second, and what is new counts for the connections
that come after. A half-written or broken file changes nothing, and is said once.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from probe.model.errors import UserError
from probe.web.auth import Authenticator
from probe.web.guards import own_path, refuse
from probe.web.tls import build_context, named_files
from probe.web.web_config import RateLimit, WebConfig, load_web_config

log = logging.getLogger("wallprobe")
LOOK_EVERY_S = 1.0
PEER_PATH = "/api/v1/peer/"
HEALTH = ("/-/healthy", "/-/ready")

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Stamps = dict[Path, tuple[int, int, int, int] | None]
Reading = tuple[WebConfig, ssl.SSLContext | None, Stamps]


class TokenBucket:
    """Lets `burst` requests through at once, and one more in each interval."""

    def __init__(self, limit: RateLimit) -> None:
        self._interval_s = limit.interval_s
        self._burst = float(limit.burst)
        self._tokens = self._burst
        self._at_s = 0.0

    def take(self, now_s: float) -> float:
        """Return 0 when a request may pass, else how long to wait before the next try."""
        if not self._interval_s:
            return 0.0
        earned = max(0.0, now_s - self._at_s) / self._interval_s if self._at_s else self._burst
        self._tokens = min(self._burst, self._tokens + earned)
        self._at_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) * self._interval_s


class Protection:
    """What is in force now; `look` takes over what has changed."""

    def __init__(self, config_file: str, *, open_health: bool = False) -> None:
        """Read the file; with none there is nothing to protect.

        Raises:
            UserError: the file or what it names is no good.
        """
        self._path = Path(config_file) if config_file else None
        self._open_health = open_health
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wallprobe-auth")
        self._told = ""
        self._stamps: Stamps = {}
        self.config = WebConfig()
        self.context: ssl.SSLContext | None = None
        self._bucket = TokenBucket(self.config.rate_limit)
        self._users: Authenticator | None = None
        if self._path is not None:
            self._adopt(_read(self._path))

    @property
    def protects(self) -> bool:
        """Tell whether it is a reason to listen beyond loopback."""
        return self.config.protects

    @property
    def allowed_sans(self) -> tuple[str, ...]:
        """Return the names of which a client's certificate must bear one; empty = any."""
        tls = self.config.tls_server_config
        return () if tls is None else tls.client_allowed_sans

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> bool:
        """Read again what has changed; tell whether connections from now on need another context."""
        if self._path is None or all(_stamp(file) == stamp for file, stamp in self._stamps.items()):
            return False
        try:
            # Making a context takes some 15 ms: not in the loop.
            reading = await asyncio.to_thread(_read, self._path)
            _refuse_less(self.config, reading[0], f"web.config_file {self._path}")
        except UserError as error:
            if str(error) != self._told:
                log.error("web configuration not read again, the old one stays", extra={"error": str(error)})
            self._told = str(error)
            return False
        self._told = ""
        self._adopt(reading)
        log.info("web configuration read again", extra={"file": str(self._path)})
        return self.context is not None

    def _adopt(self, reading: Reading) -> None:
        before = self.config
        self.config, self.context, self._stamps = reading
        if self.config.rate_limit != before.rate_limit:
            self._bucket = TokenBucket(self.config.rate_limit)
        if self.config.basic_auth_users != before.basic_auth_users:
            users = self.config.basic_auth_users
            self._users = Authenticator(users, self._thread) if users else None

    def middleware(self) -> Middleware:
        """Return what requests pass after the guards."""

        @web.middleware
        async def protect(request: web.Request, handler: Answer) -> web.StreamResponse:  # aiohttp asks for this name
            wait_s = self._bucket.take(time.monotonic())
            if wait_s:
                refused = refuse(request, 429, "too many requests")
                refused.headers["Retry-After"] = str(max(1, round(wait_s)))
                return refused
            open_health = self._open_health and own_path(request) in HEALTH
            # Other agents bring a token of their own, or a certificate: see `peers.py`.
            if self._users is not None and not open_health and not own_path(request).startswith(PEER_PATH):
                header = request.headers.get("Authorization", "")
                if not await self._users.admits(header):
                    refused = refuse(request, 401, "unauthorized")
                    refused.headers["WWW-Authenticate"] = 'Basic realm="wallprobe", charset="UTF-8"'
                    return refused
            return await handler(request)

        return protect

    async def add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Put the file's headers on an answer, before our own, which give way."""
        for name, value in self.config.http_server_config.headers.items():
            response.headers[name] = value


def _read(path: Path) -> Reading:
    """Read everything; stamps are taken before, so that what changes meanwhile is seen as changed."""
    stamps: Stamps = {path: _stamp(path)}
    config = load_web_config(str(path))
    tls = config.tls_server_config
    stamps |= {file: _stamp(file) for file in named_files(tls, path.parent)}
    return config, None if tls is None else build_context(tls, path.parent, f"web.config_file {path}"), stamps


def _refuse_less(before: WebConfig, after: WebConfig, where: str) -> None:
    """Refuse to take a protection away while it runs: a slip of an editor would open the door.

    Raises:
        UserError: TLS or all users are gone, or TLS is new, which the listening sockets cannot follow.
    """
    if (after.tls_server_config is None) is not (before.tls_server_config is None):
        raise UserError(where, "tls_server_config came or went", "restart if it is meant")
    if before.basic_auth_users and not after.basic_auth_users:
        raise UserError(where, "basic_auth_users are gone", "restart if it is meant")


def _stamp(file: Path) -> tuple[int, int, int, int] | None:
    """Return what changes when a file does; `None` = it is not there."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
