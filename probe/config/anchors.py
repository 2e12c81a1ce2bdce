"""What the vantage baseline asks when the configuration does not say: the shipped neutral anchors."""

from probe.config.shipped import find_shipped
from probe.model.errors import UserError
from probe.model.settings import Anchors
from probe.model.written import Written, items, pairs
from probe.protocols.written.fields import Fields
from probe.protocols.written.marked_yaml import read_yaml


def read_anchors(fields: Fields, defaults: Anchors) -> Anchors:
    """Read `anchors:`; a key that is not there keeps its default, `sham: []` and `domestic: []` mean none."""
    anchors = Anchors(
        foreign=_urls(fields, "foreign", defaults.foreign),
        domestic=_urls(fields, "domestic", defaults.domestic),
        portal=fields.text("portal", defaults.portal),
        sham=_urls(fields, "sham", defaults.sham),
    )
    if anchors.portal and not anchors.portal.startswith("http://"):
        what = f"anchors.portal: {anchors.portal[:60]!r} is not http://"
        remedy = "a portal shows itself only without TLS: write http://…/generate_204"
        fields.errors.append(UserError(fields.place(fields.line), what, remedy))
    fields.finish()
    return anchors


def _urls(fields: Fields, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    written = fields.written(key)
    if key != "foreign" and written is not None and written.value == ():
        return ()  # the baseline decides by foreign anchors: those it cannot do without
    urls = fields.texts(key, default)
    for url in urls:
        if not url.startswith(("https://", "http://")):
            what = f"anchors.{key}: {url[:60]!r} is not a URL"
            fields.errors.append(UserError(fields.place(fields.line), what, "write https://www.example.org/"))
    return urls


def default_anchors(country: str) -> Anchors:
    """Return the shipped anchors; the domestic ones are those of the country."""
    lists = find_shipped()
    neutral = _read_groups(lists["anchors"].read_text("utf-8")) if "anchors" in lists else {}
    domestic = _read_groups(lists["anchors-domestic"].read_text("utf-8")) if "anchors-domestic" in lists else {}
    return Anchors(
        foreign=neutral.get("foreign", ()),
        domestic=domestic.get(country.upper(), ()),
        portal=next(iter(neutral.get("portal", ())), ""),
        sham=neutral.get("sham", ()),
    )


def _read_groups(text: str) -> dict[str, tuple[str, ...]]:
    """Return the addresses of each group of a list that we ship ourselves."""
    root = read_yaml(text, "shipped list")
    groups = pairs(pairs(root).get("groups"))
    return {name: tuple(_address(entry) for entry in _entries(group)) for name, group in groups.items()}


def _entries(group: Written) -> tuple[Written, ...]:
    if isinstance(group.value, dict) and "targets" in group.value:
        return _entries(group.value["targets"])
    return items(group)


def _address(entry: Written) -> str:
    uri = entry.value.get("uri", entry) if isinstance(entry.value, dict) else entry
    return uri.value if isinstance(uri.value, str) else ""
