"""The real check held against the truth of scenarios: marks, figures, and the hunt for false accusations."""
