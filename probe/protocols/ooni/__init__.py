"""OONI's measurements, read as observations of ours."""
