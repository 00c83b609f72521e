"""A guest's call of `network.request`, parsed into an HTTP request. Refuses what no rule could allow. Pure."""

from binascii import Error as Base64Error
from binascii import a2b_base64

from codeact_bridges.errors import BadGuestCall, BadRequest, BridgeError
from codeact_bridges.guest import requests
from codeact_bridges.network import addresses, headers, url
from codeact_bridges.network.redirects import HttpRequest
from codeact_bridges.network.rules import METHODS, HostRules


def http_request(call: requests.Request) -> HttpRequest:
    """The request that the guest wants to send.

    Raises:
        BadRequest: a URL, a method or a header that no rule could allow.
    """
    method = call.method.upper()
    if method not in METHODS:
        raise BadRequest(f"{call.method[:40]!a} is not a supported method; use one of {', '.join(METHODS)}")
    try:
        target = _target(call.url)
        own = headers.checked(call.headers, setter="programs")
        body = a2b_base64(call.base64, strict_mode=True) if call.base64 is not None else (call.text or "").encode()
    except url.BadUrl as exc:
        raise BadRequest(str(exc), f"{call.url[:200]!a}") from exc
    except headers.BadHeader as exc:
        raise BadRequest(str(exc)) from exc
    except (Base64Error, UnicodeEncodeError) as exc:
        raise BadGuestCall(f"http_request: the body cannot be decoded: {exc}") from exc
    return HttpRequest(method, target, own, body)


def _target(text: str) -> url.Target:
    target = url.parse(text)
    address = addresses.literal(target.host)
    if address is not None and not addresses.is_host(address):
        raise url.BadUrl(f"{target.host} is not an address that a host can have")
    return target


def refusal(rules: HostRules, text: str) -> BridgeError:
    """The error for a `network.request` when no host is allowed at all."""
    call = requests.parse(requests.Request, "http_request", text)
    try:
        request = http_request(call)
    except BadRequest as exc:
        return exc
    return rules.refusal(request.method, request.target)
