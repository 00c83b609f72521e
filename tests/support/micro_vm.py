"""Whether a micro-VM starts here: the tests marked `hyperlight` need one. Not a test."""

from functools import cache

from codeact_bridges.sandbox import hypervisor


@cache
def why_no_micro_vm() -> str | None:
    """The reason, found out once by running a line in one; None where it ran."""
    return hypervisor.obstacle() or hypervisor.probe()
