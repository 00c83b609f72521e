"""One request on its way through redirects: what the next hop asks for. Pure."""

from dataclasses import dataclass, field, replace

from codeact_bridges.network import headers as rules_for
from codeact_bridges.network.headers import Headers
from codeact_bridges.network.url import Target, join

MAX_REDIRECTS = 10
"""As curl in browsers' company: 10 to 20 are common limits, and an honest chain has three."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class Hop:
    """One request to one target."""

    method: str
    target: Target
    headers: Headers = ()
    """The program's own."""
    body: bytes = field(default=b"", repr=False)
    at_home: bool = True
    """Whether the chain has never left its first origin. What the operator injects goes no further."""


def redirected(hop: Hop, status: int, location: str | None) -> Hop | None:
    """The hop that an answer leads to, or None where the answer is the end.

    The method follows the Fetch standard: 303 makes everything but HEAD a GET, 301 and 302 do so to a POST, 307 and
    308 change nothing.

    Raises:
        BadUrl: the location cannot be read.
    """
    if status not in _REDIRECTS or location is None:
        return None
    target = join(hop.target, location)
    following = replace(hop, target=target)
    if (status == 303 and hop.method not in ("GET", "HEAD")) or (status in (301, 302) and hop.method == "POST"):
        following = replace(following, method="GET", body=b"", headers=rules_for.without_body(hop.headers))
    if target.origin != hop.target.origin:
        kept = rules_for.without_credentials(following.headers)
        following = replace(following, headers=kept, at_home=False)
    return following
