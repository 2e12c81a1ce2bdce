"""Our measurements as OONI's records."""
