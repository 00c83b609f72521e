"""Not a test: whether a micro-VM starts here, which tests marked `hyperlight` need."""

from functools import cache

from codeact_bridges.sandbox import hypervisor


@cache
def why_no_micro_vm() -> str | None:
    """The reason why none starts, or None. Determined once, by running a line in a micro-VM."""
    return hypervisor.obstacle() or hypervisor.probe()
