"""Lists of targets: where they come from, of which kind they are, and their readers."""
