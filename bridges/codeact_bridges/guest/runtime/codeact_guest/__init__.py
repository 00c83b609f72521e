"""The guest runtime: the names and modules that the model's program finds in the sandbox. Runs on CPython 3.14 only.

Every engine uses this one source. `host` is the only way out; an engine's entry module connects it.
"""
