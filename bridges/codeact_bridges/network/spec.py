"""`[[codeact.network]]` as written, and the rules made from it.

A rule that allows nothing, can never apply, or contradicts itself is an error at start. Messages never contain a
header's value.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field, field_validator, model_validator

from codeact_bridges.network import addresses, headers, url
from codeact_bridges.network.rules import DEFAULT_METHODS, EVERY_PATH, METHODS, HostRule, is_private
from codeact_bridges.network.url import DEFAULT_PORTS, BadUrl, Scheme

MAX_RULES = 500

_PathPattern = Annotated[str, Field(max_length=1_000)]


class RuleSpec(BaseModel, extra="forbid", frozen=True):
    """One host that programs may send requests to, and which requests."""

    host: str = Field(max_length=300)
    """A name, an address, or `*.example.com` for every name below example.com (but not example.com itself)."""

    scheme: Scheme | None = None
    """`http` or `https`. By default both, but only https for a public host with `headers`, so that a secret is sent
    unencrypted only if this setting says so."""

    port: int | None = Field(default=None, ge=1, le=65_535)
    """By default the scheme's own: 80 or 443."""

    methods: tuple[str, ...] = Field(default=DEFAULT_METHODS, max_length=50)
    """Such as `["GET", "POST"]`. By default GET and HEAD."""

    paths: tuple[_PathPattern, ...] = Field(default=EVERY_PATH, max_length=1_000)
    """Such as `["/repos/*"]`: `*` matches anything, slashes included. By default every path."""

    headers: dict[str, str] = Field(default={}, max_length=50, repr=False)
    """Added to each request by the host. Programs never see them. Values may contain `${VAR}`."""

    private: bool = False
    """Whether the host may have an address that is not public: this machine, the local network, a cloud's metadata."""

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        name = host.removeprefix("*.")
        if "*" in name or not name:
            raise ValueError('must be a host name, an address, or "*." and a host name; * has no other use')
        try:
            canonical = url.canonical_host(f"[{name}]" if ":" in name and not name.startswith("[") else name)
        except BadUrl:
            if "/" in name or ":" in name:
                raise ValueError("must be only a host; scheme, port and paths are separate keys") from None
            raise ValueError("is not a host name or address") from None
        address = addresses.literal(canonical)
        if address is not None and host.startswith("*."):
            raise ValueError("is an address, which has no names below it")
        if address is not None and not addresses.is_host(address):
            raise ValueError("is not an address that a host can have")
        return "*." + canonical if host.startswith("*.") else canonical

    @field_validator("methods")
    @classmethod
    def _are_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if not methods:
            raise ValueError("is empty, so the rule would allow nothing; leave it out for GET and HEAD")
        for method in methods:
            if not re.fullmatch(r"[A-Z]{1,20}", method):
                raise ValueError('contains something other than a method name in capitals, such as "GET"')
            if method in ("CONNECT", "TRACE"):
                raise ValueError(f"contains {method}, which programs cannot use")
            if method not in METHODS:
                raise ValueError(f"contains {method}, which is not a method; the methods are {', '.join(METHODS)}")
        if len(set(methods)) < len(methods):
            raise ValueError("contains a method twice")
        return methods

    @field_validator("paths")
    @classmethod
    def _are_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if not paths:
            raise ValueError("is empty, so the rule would allow nothing; leave it out for every path")
        return tuple(_path_pattern(path) for path in paths)

    @field_validator("headers")
    @classmethod
    def _have_names(cls, given: dict[str, str]) -> dict[str, str]:
        _check_headers(dict.fromkeys(given, "x"))
        return given

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "RuleSpec":
        if not self.private:
            if is_private(self.host) and addresses.literal(self.host) is None:
                raise ValueError("localhost is this machine; allow it with private = true")
            if is_private(self.host):
                raise ValueError(f"the host {self.host} is not a public address; allow it with private = true")
            if self.host.startswith("*.") and self.host.count(".") == 1:
                raise ValueError(f"the host {self.host} covers a whole top-level domain")
        if self.scheme is not None and self.port in DEFAULT_PORTS.values() and DEFAULT_PORTS[self.scheme] != self.port:
            raise ValueError(f"scheme = {self.scheme!r} and port = {self.port} contradict each other")
        return self

    def rule(self, injected: Mapping[str, str]) -> HostRule:
        """The rule. `injected` are its headers with variables expanded.

        Raises:
            ValueError: a header's value is not valid. The text does not contain the value.
        """
        _check_headers(injected)
        schemes: tuple[Scheme, ...] = ("http", "https")
        if self.scheme is not None:
            schemes = (self.scheme,)
        elif injected and not self.private:
            schemes = ("https",)
        return HostRule(
            host=self.host,
            schemes=schemes,
            port=self.port,
            methods=self.methods,
            paths=self.paths,
            private=self.private,
            headers=tuple(injected.items()),
        )


def useless(rules: Sequence[HostRule]) -> tuple[int, str] | None:
    """The index of the first rule that can never apply, and why."""
    for index, rule in enumerate(rules):
        for earlier, other in enumerate(rules[:index]):
            if other.covers(rule):
                return (
                    index,
                    f"is never used: codeact.network[{earlier}] comes first and allows everything that it allows",
                )
    return None


def _path_pattern(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError('contains a path that does not begin with "/"')
    if re.search(r"[?#\s\\]", path):
        raise ValueError("contains a path with a ?, a #, a space or a backslash; a rule has no query")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise ValueError('contains a path with a "." or ".." segment, which no request can have')
    try:
        return url.canonical_path(path)
    except BadUrl as exc:
        raise ValueError(f"contains a path that no request can have: {exc}") from None


def _check_headers(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name.lower() == "accept-encoding":
            raise ValueError(f"the header {name} cannot be set: codeact-mcp sets it, because it decompresses responses")
        if not value.strip():
            raise ValueError(f"the header {name} is empty; is its variable set?")
        if value != value.strip():
            raise ValueError(f"the header {name} begins or ends with white space")
    if len({name.lower() for name in given}) < len(given):
        raise ValueError("a header is given twice; header names ignore case")
    try:
        headers.checked(given.items(), setter="rules")
    except headers.BadHeader as exc:
        raise ValueError(str(exc)) from None
