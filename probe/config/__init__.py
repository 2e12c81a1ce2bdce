"""The configuration: YAML becomes frozen `Settings`, or a list of errors with file, line and remedy."""
