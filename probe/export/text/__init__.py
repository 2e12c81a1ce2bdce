"""A run as a person reads it, in lines of text."""
