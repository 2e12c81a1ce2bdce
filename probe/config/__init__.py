"""The configuration: YAML becomes frozen `Settings`, or a list of errors with file, line and remedy."""

from probe.config.reader import load_config, parse_config
from probe.config.shipped import find_shipped, shipped_source

__all__ = ["find_shipped", "load_config", "parse_config", "shipped_source"]
