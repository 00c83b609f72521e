"""The configuration file, parsed once and whole."""
