"""The vocabulary: frozen values that every other room speaks in. Nothing here opens, reads a clock or logs."""
