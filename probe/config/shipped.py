"""The lists that come with Wallprobe: beside the code in a checkout, under `share/wallprobe/targets` when installed."""

import difflib
import importlib.metadata
from pathlib import Path

from probe.model.errors import UserError
from probe.model.settings import TargetSource

_CHECKOUT = Path(__file__).resolve().parents[2] / "targets"
_INSTALLED = "share/wallprobe/targets/"


def find_shipped() -> dict[str, Path]:
    """Return the lists by name.

    An installed copy is found by what the installer recorded: a wheel's data files may go to the prefix of Python, of
    the user or of `--target`.
    """
    if (_CHECKOUT / "anchors.yaml").is_file():
        return {path.stem: path for path in sorted(_CHECKOUT.glob("*.yaml"))}
    try:
        recorded = importlib.metadata.files("wallprobe") or []
    except importlib.metadata.PackageNotFoundError:
        recorded = []
    paths = [Path(str(file.locate())) for file in recorded if _INSTALLED in str(file) and file.suffix == ".yaml"]
    return {path.stem: path.resolve() for path in sorted(paths) if path.parent.name == "targets"}


def shipped_source(name: str, place: str = "command line") -> TargetSource:
    """Return the source of a shipped list.

    Raises:
        UserError: there is no such list.
    """
    lists = find_shipped()
    if name not in lists:
        near = difflib.get_close_matches(name, lists, n=1)
        known = f"choose from {', '.join(lists)}" if lists else "install Wallprobe again: its lists are missing"
        raise UserError(
            place, f"no list called {name[:60]!r} is shipped", f"did you mean {near[0]}?" if near else known
        )
    return TargetSource(shipped=name, file=str(lists[name]), place=place)
