"""What a guest asks for, as the first hop of a request, or the reason why nobody could allow it. Pure."""

from binascii import Error as Base64Error
from binascii import a2b_base64

from codeact_bridges.errors import BadGuestCall, BadRequest, BridgeError
from codeact_bridges.guest import requests as calls
from codeact_bridges.network import addresses, headers, url
from codeact_bridges.network.redirects import Hop
from codeact_bridges.network.rules import METHODS, HostRules


def first_hop(call: calls.Request) -> Hop:
    """What the guest asks for.

    Raises:
        BadRequest: a URL, a method or a header that no rule could allow.
    """
    method = call.method.upper()
    if method not in METHODS:
        raise BadRequest(f"{call.method[:40]!a} is not a method that a program can use; there are {', '.join(METHODS)}")
    try:
        target = _target(call.url)
        own = headers.checked(call.headers)
        body = a2b_base64(call.base64, strict_mode=True) if call.base64 is not None else (call.text or "").encode()
    except url.BadUrl as exc:
        raise BadRequest(str(exc), f"{call.url[:200]!a}") from exc
    except headers.BadHeader as exc:
        raise BadRequest(str(exc)) from exc
    except (Base64Error, UnicodeEncodeError) as exc:
        raise BadGuestCall(f"http_request: the body cannot be read: {exc}") from exc
    return Hop(method, target, own, body)


def _target(text: str) -> url.Target:
    target = url.parse(text)
    address = addresses.literal(target.host)
    if address is not None and not addresses.is_host(address):
        raise url.BadUrl(f"{target.host} is no address that a host can have")
    return target


def refusal(rules: HostRules, text: str) -> BridgeError:
    """The error for a `network.request` where nothing is allowed at all."""
    call = calls.parse(calls.Request, "http_request", text)
    try:
        hop = first_hop(call)
    except BadRequest as exc:
        return exc
    return rules.refusal(hop.method, hop.target)
