"""`[[codeact.network]]` as it is written, and the rules that it means.

A rule that grants nothing, grants what can never be reached, or contradicts another is an error at start. Messages
name what is wrong and never a header's value.
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
    """One host that programs may speak to, and how."""

    host: str = Field(max_length=300)
    """A name, an address, or `*.example.com` for every name below example.com (and not for example.com itself)."""

    scheme: Scheme | None = None
    """`http` or `https`. Without it both; but https only where `headers` go to a public host, so that a secret never
    travels in the clear unless this says so."""

    port: int | None = Field(default=None, ge=1, le=65_535)
    """Without it the scheme's own: 80 or 443."""

    methods: tuple[str, ...] = Field(default=DEFAULT_METHODS, max_length=50)
    """As `["GET", "POST"]`. Without it GET and HEAD."""

    paths: tuple[_PathPattern, ...] = Field(default=EVERY_PATH, max_length=1_000)
    """As `["/repos/*"]`: `*` stands for anything, slashes included. Without it every path."""

    headers: dict[str, str] = Field(default={}, max_length=50, repr=False)
    """Added to each request by the host. Programs never see them. Values know `${VAR}`."""

    private: bool = False
    """Whether the host may have an address that is not public: this machine, the local network, a cloud's metadata."""

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        name = host.removeprefix("*.")
        if "*" in name or not name:
            raise ValueError('is a host name, an address, or "*." and a host name; there is no other use of *')
        try:
            canonical = url.canonical_host(f"[{name}]" if ":" in name and not name.startswith("[") else name)
        except BadUrl:
            if "/" in name or ":" in name:
                raise ValueError("is a host alone; scheme, port and paths have keys of their own") from None
            raise ValueError("is not the name or the address of a host") from None
        address = addresses.literal(canonical)
        if address is not None and host.startswith("*."):
            raise ValueError("has no names below it: it is an address")
        if address is not None and not addresses.is_host(address):
            raise ValueError("is no address that a host can have")
        return "*." + canonical if host.startswith("*.") else canonical

    @field_validator("methods")
    @classmethod
    def _are_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if not methods:
            raise ValueError("is empty, so the rule would allow nothing; leave it out for GET and HEAD")
        for method in methods:
            if not re.fullmatch(r"[A-Z]{1,20}", method):
                raise ValueError('holds what is not the name of a method in capitals, as "GET"')
            if method in ("CONNECT", "TRACE"):
                raise ValueError(f"holds {method}, which programs cannot use")
            if method not in METHODS:
                raise ValueError(f"holds {method}, which is no method; there are {', '.join(METHODS)}")
        if len(set(methods)) < len(methods):
            raise ValueError("holds a method twice")
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
                raise ValueError(f"the host {self.host} would be a whole top-level domain")
        if self.scheme is not None and self.port in DEFAULT_PORTS.values() and DEFAULT_PORTS[self.scheme] != self.port:
            raise ValueError(f"scheme = {self.scheme!r} and port = {self.port} contradict each other")
        return self

    def rule(self, injected: Mapping[str, str]) -> HostRule:
        """The rule; `injected` are its headers with their variables put in.

        Raises:
            ValueError: one of those has no value that a header can have. The text does not hold the value.
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
    """The first rule that can never be the one that counts, by its index, and why."""
    for index, rule in enumerate(rules):
        for earlier, other in enumerate(rules[:index]):
            if other.covers(rule):
                return index, f"is never used: codeact.network[{earlier}] comes before it and allows all that it allows"
    return None


def _path_pattern(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError('holds a path that does not begin with "/"')
    if re.search(r"[?#\s\\]", path):
        raise ValueError("holds a path with a ?, a #, a space or a backslash; the query is not part of a rule")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise ValueError('holds a path with a "." or ".." segment, which no request has')
    try:
        return url.canonical_path(path)
    except BadUrl as exc:
        raise ValueError(f"holds a path that no request has: {exc}") from None


def _check_headers(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name.lower() == "accept-encoding":
            raise ValueError(f"the header {name} is ours: responses are decompressed here")
        if not value.strip():
            raise ValueError(f"the header {name} is empty; is its variable set?")
        if value != value.strip():
            raise ValueError(f"the header {name} begins or ends with white space")
    if len({name.lower() for name in given}) < len(given):
        raise ValueError("a header is given twice; capital letters make no difference")
    try:
        headers.checked(given.items())
    except headers.BadHeader as exc:
        raise ValueError(str(exc).replace("for programs", "for rules")) from None
