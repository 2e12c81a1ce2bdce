"""What Prometheus reads: series of targets, of single runs, and of what was found over time."""
