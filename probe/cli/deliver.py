"""Where the figures of a single `check` go: a file for node_exporter's textfile collector, or a Pushgateway.

Source: node_exporter, textfile collector: files that end in `.prom`, renamed into place whole. Pushgateway's API: PUT
to `/metrics/job/NAME/instance/NAME` replaces what was pushed there before; what is pushed stays until it is deleted.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import click

from probe.cli.contact import PASSWORD
from probe.cli.process_title import hide_argument
from probe.daemon.certificates import Expiries
from probe.export.metrics.families import Format
from probe.export.metrics.one_off import render_one_off
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.outcome import measure_phases
from probe.model.snapshot import TargetSnapshot

JOB = "wallprobe_check"
PUSH_TIMEOUT_S = 10.0


def render_page(measurements: Sequence[Measurement]) -> bytes:
    """Return the page of metrics of these runs."""
    expiries = Expiries()
    snapshots = []
    for run in measurements:
        ended_at = run.started_at + run.runtime_s
        snapshots.append(
            TargetSnapshot(
                target=run.target,
                verdict=run.verdict,
                measurement=run.id,
                last_run_at=ended_at,
                last_ok_at=ended_at if run.verdict.status.reachable else 0.0,
                duration_s=run.runtime_s,
                runs_total=1,
                phases=measure_phases(run),
                certificate_expires_at=expiries.find_first(run),
            )
        )
    return render_one_off(snapshots)


def check_textfile(path: str) -> None:
    """Look whether the file can be written, before anything is measured.

    Raises:
        UserError: it cannot, or node_exporter would not read it.
    """
    if not path.endswith(".prom"):
        raise UserError(f"--textfile {path}", "node_exporter reads only what ends in .prom", "name it wallprobe.prom")
    folder = Path(path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--textfile {path}", "its folder cannot be written", "give a folder that this user may write")


def write_textfile(path: str, page: bytes) -> None:
    """Put the page into place whole: who reads meanwhile sees the old one.

    Raises:
        UserError: the disk refuses.
    """
    target = Path(path)
    name = ""
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(number, "wb") as file:
            file.write(page)
            file.flush()
            os.fchmod(number, 0o644)
            os.fsync(number)
        os.replace(name, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise UserError(f"--textfile {path}", error.strerror or "cannot be written", "check disk and folder") from None


def push_url(text: str, instance: str) -> str:
    """Return where to push: the group of this job and vantage, unless the address names a group itself.

    Raises:
        UserError: it is no address of a Pushgateway; it is not quoted, for it may hold a password.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise UserError("--pushgateway", "not an http or https address", "write http://127.0.0.1:9091")
    if "/metrics/job/" in parts.path:
        return text
    return f"{text.rstrip('/')}/metrics/job/{JOB}/instance/{quote(instance, safe='')}"


def settle_gateway(text: str, instance: str, environ: Mapping[str, str]) -> str:
    """Return where to push, with the password of a user that the address names; one in the address is hidden.

    Raises:
        UserError: it is no address of a Pushgateway, or there is no password for its user.
    """
    url = push_url(text, instance)
    parts = urlsplit(text)
    if not parts.username or parts.password is not None:
        if parts.password:
            hide_argument(text, f"{parts.scheme}://{parts.hostname}")
            said = f"leave it out, and export {PASSWORD}"
            click.echo(f"warning: --pushgateway was given with a password, which others could see: {said}", err=True)
        return url
    password = environ.get(PASSWORD, "")
    if not password:
        raise UserError("--pushgateway", "names a user without a password", f"export {PASSWORD}")
    return url.replace("@", f":{quote(password, safe='')}@", 1)


async def push(url: str, page: bytes) -> None:
    """Replace what the group held.

    Raises:
        click.ClickException: it does not answer, or refuses.
    """
    import aiohttp  # 0.1 s that a check which pushes nothing should not cost

    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    timeout = aiohttp.ClientTimeout(total=PUSH_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.put(url, data=page, headers={"Content-Type": Format.TEXT.value}) as answer,
        ):
            if answer.status // 100 == 2:
                return
            said = (await answer.content.read(300)).decode("utf-8", "replace").strip().replace("\n", " ")
    except (aiohttp.ClientError, TimeoutError) as error:
        # The library's own words would quote the address, and a password in it.
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number).lower() if number and number > 0 else type(error).__name__
        raise click.ClickException(f"--pushgateway: {host} does not answer ({why}); nothing was pushed") from None
    raise click.ClickException(f"--pushgateway: {host} refuses: {answer.status} {said}")
