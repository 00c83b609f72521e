"""One request, and the request that follows it after a redirect. Pure."""

from dataclasses import dataclass, field, replace

from codeact_bridges.network.headers import Headers, without_body, without_credentials
from codeact_bridges.network.url import Target, join

MAX_REDIRECTS = 10
"""Browsers allow 20, curl 50; legitimate chains rarely exceed 3."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to one target."""

    method: str
    target: Target
    headers: Headers = ()
    """Those of the program."""
    body: bytes = field(default=b"", repr=False)
    first_origin: bool = True
    """Whether no redirect has led to another origin yet. After one, the operator's headers are not injected."""

    @property
    def name(self) -> str:
        """Method and URL, without the query, for errors and logs."""
        return f"{self.method} {self.target.place[:300]}"


def redirected(request: HttpRequest, status: int, location: str | None) -> HttpRequest | None:
    """The next request, or None if the response is not a redirect.

    The method follows the Fetch standard: 303 changes every method but HEAD to GET, 301 and 302 change POST to GET, 307
    and 308 change nothing.

    Raises:
        BadUrl: the location cannot be parsed.
    """
    if status not in _REDIRECTS or location is None:
        return None
    target = join(request.target, location)
    following = replace(request, target=target)
    if (status == 303 and request.method not in ("GET", "HEAD")) or (status in (301, 302) and request.method == "POST"):
        following = replace(following, method="GET", body=b"", headers=without_body(request.headers))
    if target.origin != request.target.origin:
        following = replace(following, headers=without_credentials(following.headers), first_origin=False)
    return following
