"""Other tools' files become a list of ours."""
