"""Answers a client's first requests before the SDK is imported. Imports the standard library only."""
