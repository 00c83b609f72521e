"""The one-time preparation of the sandbox, and who is told while it takes long.

It is compiling the guest for this machine, or booting the first micro-VM. Runs that begin meanwhile wait for it.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager


class Preparation:
    """Whether the sandbox is being prepared, and takes long enough to say so. Told by `open_engine`."""

    def __init__(self) -> None:
        self._takes_long = False
        self._over = False
        self._callbacks: dict[object, Callable[[], None]] = {}

    def takes_long(self) -> None:
        """Tell everybody who waits, now and later, until `end`."""
        if self._over or self._takes_long:
            return
        self._takes_long = True
        for callback in tuple(self._callbacks.values()):
            callback()

    def end(self) -> None:
        """The sandbox is prepared, or cannot be: from now on there is nothing to tell."""
        self._over = True
        self._callbacks.clear()

    @contextmanager
    def observed(self, callback: Callable[[], None]) -> Generator[None]:
        """Call `callback` once within the block if the preparation takes long; at once if it does already."""
        if self._over:
            yield
            return
        key = object()
        self._callbacks[key] = callback
        if self._takes_long:
            callback()
        try:
            yield
        finally:
            self._callbacks.pop(key, None)
