"""The guest runtime: what the model's program finds inside the sandbox. Runs on the guest's CPython 3.14 only.

One source for every engine. `door` is the only way out; an engine's entry module connects it.
"""
