"""Which requests the operator's rules allow. Pure decisions: no I/O, no clock, no name resolution."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from codeact_bridges.errors import NotAllowed
from codeact_bridges.network import addresses
from codeact_bridges.network.url import DEFAULT_PORTS, Scheme, Target, readings

DEFAULT_METHODS = ("GET", "HEAD")
"""The methods of a rule without `methods`."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
"""All methods that a rule can allow. CONNECT opens a tunnel, TRACE echoes injected headers; others are mistakes."""
EVERY_PATH = ("/*",)
MAX_RULES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class HostRule:
    """One `[[codeact.network]]` of the configuration, checked (`spec.py`)."""

    host: str
    """Canonical, or `*.` and a canonical name: every name below that one, at any depth."""
    schemes: tuple[Scheme, ...] = ("http", "https")
    port: int | None = None
    """None is the scheme's own port."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    paths: tuple[str, ...] = EVERY_PATH
    """`*` matches anything, slashes included."""
    private: bool = False
    """Whether the host may have an address that is not public."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Injected by the host into each request. The guest never sees them."""

    def allows(self, method: str, target: Target) -> bool:
        return (
            method in self.methods
            and target.scheme in self.schemes
            and target.port == (self.port or DEFAULT_PORTS[target.scheme])
            and host_matches(self.host, target.host)
            and any(path_matches(path, target.path) for path in self.paths)
        )

    def covers(self, other: "HostRule") -> bool:
        """Whether this rule allows everything that `other` allows. May be False wrongly, is never True wrongly."""
        if self.host != other.host and not (self.host.startswith("*.") and other.host.endswith(self.host[1:])):
            return False
        ports = {(scheme, other.port or DEFAULT_PORTS[scheme]) for scheme in other.schemes}
        return (
            ports <= {(scheme, self.port or DEFAULT_PORTS[scheme]) for scheme in self.schemes}
            and set(other.methods) <= set(self.methods)
            and all(any(_glob(own, path) for own in self.paths) for path in other.paths)
        )

    def __str__(self) -> str:
        """The rule as TOML on one line, without its headers."""
        return ", ".join(f"{key} = {value}" for key, value in self.toml())

    def toml(self) -> Iterable[tuple[str, str]]:
        yield "host", json.dumps(f"[{self.host}]" if ":" in self.host else self.host)
        if len(self.schemes) == 1:
            yield "scheme", json.dumps(self.schemes[0])
        if self.port is not None:
            yield "port", str(self.port)
        yield "methods", json.dumps(list(self.methods))
        if self.paths != EVERY_PATH:
            yield "paths", json.dumps(list(self.paths))
        if self.private:
            yield "private", "true"


@dataclass(frozen=True, slots=True)
class HostRules:
    """All rules, in the order of the file. The first that allows a request applies."""

    rules: tuple[HostRule, ...] = ()

    def decide(self, method: str, target: Target) -> HostRule | None:
        """The rule that allows this request, or None."""
        return next((rule for rule in self.rules if rule.allows(method, target)), None)

    def refusal(self, method: str, target: Target, why: str = "") -> NotAllowed:
        """The guest's error for a request that no rule allows. `why` is added after the URL."""
        return self._refusal(f"{method} {target.place[:300]}{why} is not allowed.", needed(method, target))

    def refusal_of_address(self, method: str, target: Target, address: str) -> NotAllowed:
        """The guest's error for an allowed host whose address its rule does not allow."""
        reason = f"{target.host} resolves to the non-public address {address}."
        sentence = f"{method} {target.place[:300]} is not allowed: {reason}"
        return self._refusal(sentence, needed(method, target, private=True), ", before the rule that allows the host")

    def _refusal(self, sentence: str, wanted: HostRule, where: str = "") -> NotAllowed:
        lines = [
            f"{sentence} The operator can allow it in the configuration of codeact-mcp{where}:",
            "[[codeact.network]]",
            *(f"{key} = {value}" for key, value in wanted.toml()),
            *self._known(),
        ]
        return NotAllowed("\n".join(lines), str(wanted))

    def _known(self) -> list[str]:
        if not self.rules:
            return ["No host is allowed at present."]
        shown = [f"- {rule}" for rule in self.rules[:MAX_RULES_SHOWN]]
        more = len(self.rules) - len(shown)
        return ["Allowed at present:", *shown, *([f"- and {more} more rules"] if more else [])]


def needed(method: str, target: Target, *, private: bool = False) -> HostRule:
    """The narrowest rule that would allow this request."""
    default = target.port == DEFAULT_PORTS[target.scheme]
    # A rule for http on 443 names no scheme, because `spec.py` refuses scheme and port that contradict each other.
    named = target.scheme == "http" and (default or target.port not in DEFAULT_PORTS.values())
    path = target.path if len(target.path) <= 300 else target.path[:300].rsplit("%", 1)[0] + "*"
    return HostRule(
        host=target.host,
        schemes=("http",) if named else ("http", "https"),
        port=None if default else target.port,
        methods=(method,),
        paths=(path,),
        private=private or is_private(target.host),
    )


def is_private(host: str) -> bool:
    """Whether this canonical host, or `*.` and one, is not public by its name or literal address alone."""
    address = addresses.literal(host)
    if address is not None:
        return not addresses.is_public(address)
    return host == "localhost" or host.endswith(".localhost")


def host_matches(pattern: str, host: str) -> bool:
    """Whether the canonical `host` matches. `*.example.com` does not match `example.com` itself."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def path_matches(pattern: str, path: str) -> bool:
    """Whether `path` matches in every way that a server could read it.

    The path as sent must match the pattern as written. Each other reading, such as the decoded path, must match some
    reading of the pattern.
    """
    written, *others = readings(path)
    if not _glob(pattern, written):
        return False
    if not others:
        return True
    patterns = readings(pattern)
    return all(any(_glob(each, other) for each in patterns) for other in others)


def _glob(pattern: str, text: str) -> bool:
    """`*` matches any characters; no other character is special. Takes linear time for every pattern."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
