"""The configuration file: read once at start, and checked as a whole."""
