"""The `targets:` of a configuration: where each list or target comes from. The lists themselves are read elsewhere."""

from pathlib import Path

from probe.config.shipped import shipped_source
from probe.model.errors import UserError
from probe.model.settings import TargetSource
from probe.model.target import Exposure
from probe.model.written import Written
from probe.protocols.written.fields import Fields

_KINDS = ("file", "http_sd", "uri", "shipped")
_FORM = "write one of `file: PATH`, `http_sd: URL`, `uri: ADDRESS`, `shipped: NAME`"


def read_source(written: Written, file: str, folder: Path, errors: list[UserError]) -> TargetSource | None:
    """Read one entry; `None` = it is wrong, and `errors` says how."""
    place = f"{file}:{written.line}"
    if isinstance(written.value, str):
        return TargetSource(uri=written.value, place=place)
    own: list[UserError] = []
    fields = Fields(written, file, own, "targets.")
    given = {kind: fields.text(kind) for kind in _KINDS}
    kinds = [kind for kind, text in given.items() if text]
    if not own and len(kinds) != 1:
        what = f"{' and '.join(kinds)} stand together" if kinds else "it does not say where the targets come from"
        own.append(UserError(place, what, _FORM))
    if own:
        errors.extend(own)
        return None
    if given["uri"]:
        return TargetSource(uri=given["uri"], entry=written, place=place)
    source = _read_list(given, fields, folder, place)
    fields.finish()
    errors.extend(own)
    return None if own else source


def _read_list(given: dict[str, str], fields: Fields, folder: Path, place: str) -> TargetSource:
    path, shipped = given["file"], given["shipped"]
    if shipped:
        try:
            path = shipped_source(shipped, place).file
        except UserError as error:
            fields.errors.append(error)
    elif path:
        path = str(folder / Path(path).expanduser())
    url = given["http_sd"]
    if url and not url.startswith(("http://", "https://")):
        fields.errors.append(UserError(place, "http_sd: this is not a URL", "write https://ops.example/targets.json"))
    if "@" in url.partition("://")[2].partition("/")[0]:
        fields.errors.append(UserError(place, "http_sd: the URL holds a password", "leave out all before the @"))
    labels = fields.words("labels")
    interval_s = fields.duration("interval", 0.0, low=1.0, high=30 * 86400.0)
    timeout_s = fields.duration("timeout", 0.0, low=0.1, high=300.0)
    return TargetSource(
        file=path,
        http_sd=url,
        shipped=shipped,
        refresh_s=fields.duration("refresh", 300.0, low=1.0, high=7 * 86400.0),
        group=fields.text("group"),
        exposure=fields.choice("exposure", Exposure, Exposure.PUBLIC),
        interval_s=interval_s or None,
        timeout_s=timeout_s or None,
        labels=labels,
        place=place,
    )
