"""The lists that come with Wallprobe: beside the code in a checkout, under `share/wallprobe/targets` when installed.

`pip install --target` puts them under the target folder, but records another place: so that folder is looked at first.
"""

import difflib
from pathlib import Path

from probe.model.errors import UserError
from probe.model.settings import TargetSource

_BESIDE = Path(__file__).resolve().parents[2]
_INSTALLED = "share/wallprobe/targets"


def find_shipped() -> dict[str, Path]:
    """Return the lists by name; none when the installation is damaged."""
    beside = (_BESIDE / "targets", _BESIDE / _INSTALLED)
    folder = next((folder for folder in beside if (folder / "anchors.yaml").is_file()), None) or _recorded_folder()
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _recorded_folder() -> Path | None:
    """Return where the installer says it put them: a wheel's data files go to the prefix of Python or of the user."""
    import importlib.metadata  # 20 ms, for installations of one kind

    try:
        recorded = importlib.metadata.files("wallprobe") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in recorded if file.as_posix().endswith(f"{_INSTALLED}/anchors.yaml"))
    return next((path.resolve().parent for path in found), None)


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
