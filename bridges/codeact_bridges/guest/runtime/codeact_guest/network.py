"""HTTP through the host, which checks the rules, follows redirects and adds the headers that the operator configured.

A body arrives in pieces: the first with the response's head (`network.request`), as large as a message allows, the rest
one by one (`network.read`), so that a large download goes into a file without being in memory as a whole.
"""

import codecs
import contextlib
import email.message
import io
import json as json_module
import os
import urllib.error
import urllib.parse
import urllib.request
import urllib.response
from binascii import a2b_base64, b2a_base64
from collections.abc import Generator, Iterable, Iterator, Mapping

from codeact_guest import errors, host, loop, values

_most_in_memory = 20_000_000
"""Largest body that may be held in memory, in bytes: up to three copies exist while it becomes text."""


def begin(settings: dict[str, int] | None) -> None:
    """Take over the host's limit for bodies in memory."""
    global _most_in_memory
    if settings is not None:
        _most_in_memory = settings["most_in_memory"]


class Headers(Mapping):
    """A response's headers: names are case-insensitive, and the values of a repeated header are joined with commas."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(str(name), str(value)) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        found = self.get_list(name)
        if not found:
            raise KeyError(name)
        return ", ".join(found)

    def get_list(self, name: str) -> list[str]:
        """All values of a header that may be repeated, such as Set-Cookie."""
        return [value for key, value in self._pairs if key.lower() == str(name).lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return repr(dict(self))


class Response(dict):
    """The response to a request. As a dict it has the keys of Hyperlight's stock guest: `{"status", "body"}`."""

    def __init__(self, head: Mapping[str, object], content: bytes, saved_to: str | None) -> None:
        self.status: int = head["status"]
        self.status_code = self.status
        self.reason: str = head["reason"]
        self.url: str = head["url"]
        """The URL of the response, after redirects."""
        self.headers = Headers(head["headers"])
        self.saved_to = saved_to
        """The file to which the body was written; `content` and `text` are then empty."""
        self.encoding = _charset(self.headers.get("content-type", ""))
        self._content: bytes | None = None
        try:
            self.text = content.decode(self.encoding)
            if self.encoding != "utf-8":
                self._content = content
        except UnicodeDecodeError:
            self.text, self._content = content.decode(self.encoding, "replace"), content
        super().__init__(status=self.status, body=self.text)

    @property
    def content(self) -> bytes:
        """The body's bytes. A UTF-8 body is stored as text only, to save the guest's memory, and is encoded here."""
        return self.text.encode() if self._content is None else self._content

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    def json(self) -> object:
        """The body, decoded as JSON."""
        try:
            return json_module.loads(self.content)
        except ValueError as exc:
            kind = self.headers.get("content-type", "no content type")
            raise ValueError(f"the response is not JSON (status {self.status}, {kind}): {self.text[:200]!r}") from exc

    def raise_for_status(self) -> "Response":
        """Return the response, or raise `HttpStatusError` if its status is 400 or more."""
        if not self.ok:
            raised = errors.HttpStatusError(f"{self.status} {self.reason} for {self.url}: {self.text[:500]}")
            raised.response = self
            raise raised
        return self


def http_request(
    method: str,
    url: str,
    params: object = None,
    headers: object = None,
    body: str | bytes | None = None,
    json: object = None,
    timeout: float | None = None,
    save_to: object = None,
) -> Response:
    """Send a request to a host that the operator allows, and wait for the response.

    Args:
        params: a dict or pairs, appended to the URL's query.
        body: text or bytes.
        json: a value that is sent as JSON, instead of `body`.
        timeout: seconds for the whole exchange, including redirects and body.
        save_to: a file to which a successful response's body is written, piece by piece.

    Raises:
        PermissionError: no rule allows the request; the message says which rule would.
        HttpError: there was no complete response (`HttpTimeout`: not in time). A status of 400 or more is no error.
    """
    answer = host.call_text("network.request", _request(method, url, params, headers, body, json, timeout))
    pieces = _assembled(answer, save_to)
    try:
        number = next(pieces)
        while True:
            number = pieces.send(host.call("network.read", id=number))
    except StopIteration as end:
        return end.value
    finally:
        pieces.close()


async def http_request_async(
    method: str,
    url: str,
    params: object = None,
    headers: object = None,
    body: str | bytes | None = None,
    json: object = None,
    timeout: float | None = None,
    save_to: object = None,
) -> Response:
    """Like `http_request`, awaited: several concurrently with `asyncio.gather`."""
    request = _request(method, url, params, headers, body, json, timeout)
    pieces = _assembled(await loop.call_async("network.request", request), save_to)
    try:
        number = next(pieces)
        while True:
            number = pieces.send(await loop.call_async("network.read", json_module.dumps({"id": number})))
    except StopIteration as end:
        return end.value
    finally:
        pieces.close()


def http_get(
    url: str, params: object = None, headers: object = None, timeout: float | None = None, save_to: object = None
) -> Response:
    """`http_request("GET", …)`. `["status"]` and `["body"]` work as with the stock guest."""
    return http_request("GET", url, params, headers, timeout=timeout, save_to=save_to)


def http_post(
    url: str,
    body: str | bytes | None = None,
    content_type: str = "application/json",
    *,
    json: object = None,
    params: object = None,
    headers: object = None,
    timeout: float | None = None,
    save_to: object = None,
) -> Response:
    """`http_request("POST", …)`. `["status"]` and `["body"]` work as with the stock guest."""
    pairs = _pairs(headers)
    if json is None and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", content_type))
    return http_request("POST", url, params, pairs, body, json, timeout, save_to)


def _request(
    method: str, url: str, params: object, headers: object, body: object, json: object, timeout: float | None
) -> str:
    if not isinstance(method, str) or not isinstance(url, str):
        raise TypeError('http_request: method and URL must be strings: write http_request("GET", "https://…")')
    if body is not None and json is not None:
        raise TypeError("http_request: pass body or json, not both")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise TypeError(f"http_request: timeout must be a number of seconds, not {timeout!r}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"http_request: timeout must be more than 0 seconds, not {timeout!r}")
    pairs = _pairs(headers)
    request: dict[str, object] = {
        "method": method,
        "url": _with_params(url, params),
        "headers": pairs,
        "timeout_s": timeout,
    }
    if json is not None:
        try:
            request["text"] = values.to_json(json)
        except values.NotJson as exc:
            raise TypeError(f"http_request(json=…): {exc}") from None
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
    elif isinstance(body, str):
        request["text"] = body
    elif isinstance(body, bytes | bytearray | memoryview):
        request["base64"] = b2a_base64(bytes(body), newline=False).decode()
    elif body is not None:
        raise TypeError(
            f"http_request: body must be text or bytes, not {type(body).__name__}; "
            "pass json={…}, or urllib.parse.urlencode(…)"
        )
    try:
        return values.to_json(request)
    except values.NotJson as exc:
        raise TypeError(f"http_request: {exc}") from None


def _pairs(headers: object) -> list[tuple[str, str]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [(_text(name), _text(value)) for name, value in pairs]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _with_params(url: str, params: object) -> str:
    if not params:
        return url
    if not isinstance(params, str):
        pairs = params.items() if isinstance(params, Mapping) else params
        params = urllib.parse.urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)
    if not params:
        return url
    url, mark, fragment = url.partition("#")
    return f"{url}{'&' if '?' in url else '?'}{params}{mark}{fragment}"


def _assembled(answer: dict[str, object], save_to: object) -> Generator[int, dict[str, object], Response]:
    """Assemble the response: yields the number under which the next piece can be read, and is sent that piece."""
    saved_to = os.fspath(save_to) if save_to is not None and 200 <= answer["status"] < 300 else None
    head, more = answer, answer["more"]
    try:
        sink = io.BytesIO() if saved_to is None else open(saved_to, "wb")  # noqa: SIM115  # closed two lines below
        try:
            with sink:
                sink.write(_bytes(answer))
                while more is not None:
                    number, more = more, None
                    answer = yield number
                    more = answer["more"]
                    if saved_to is None and sink.tell() > _most_in_memory:
                        raise errors.HttpError(  # noqa: TRY301
                            f"the response is larger than {_most_in_memory:,} bytes, the most that fits in memory: "
                            "pass save_to='/a/mounted/file', "
                            "or read it in pieces with urllib.request.urlopen(url)"
                        )
                    sink.write(_bytes(answer))
                content = sink.getvalue() if saved_to is None else b""
        except BaseException:
            if saved_to is not None:
                with contextlib.suppress(OSError):
                    os.remove(saved_to)  # an incomplete download cannot be told from a complete one
            raise
    finally:
        if more is not None:
            host.call("network.close", id=more)
    return Response(head, content, saved_to)


def _bytes(piece: Mapping[str, object]) -> bytes:
    return piece["text"].encode() if "text" in piece else a2b_base64(piece["base64"])


def _charset(content_type: str) -> str:
    message = email.message.Message()
    message["content-type"] = content_type
    name = message.get_content_charset() or "utf-8"
    try:
        return codecs.lookup(name).name if isinstance("".encode(name), bytes) else "utf-8"
    except (LookupError, UnicodeError):
        return "utf-8"


class _Body(io.RawIOBase):
    """A body as a file, fetched from the host as it is read."""

    def __init__(self, answer: Mapping[str, object]) -> None:
        self._buffered, self._more = _bytes(answer), answer["more"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        while not self._buffered and self._more is not None:
            number, self._more = self._more, None
            piece = host.call("network.read", id=number)
            self._buffered, self._more = _bytes(piece), piece["more"]
        size = min(len(buffer), len(self._buffered))
        buffer[:size], self._buffered = self._buffered[:size], self._buffered[size:]
        return size

    def close(self) -> None:
        if self._more is not None:
            number, self._more = self._more, None
            host.call("network.close", id=number)
        super().close()


class _UrlResponse(urllib.response.addinfourl):
    """The response of `urlopen`, with the commonly used methods of `http.client.HTTPResponse`."""

    def __init__(self, answer: Mapping[str, object]) -> None:
        headers = email.message.Message()
        for name, value in answer["headers"]:
            headers[name] = value
        super().__init__(io.BufferedReader(_Body(answer)), headers, answer["url"], answer["status"])
        self.msg = self.reason = answer["reason"]

    def getheader(self, name: str, default: str | None = None) -> str | None:
        found = self.headers.get_all(name)
        return ", ".join(found) if found else default

    def getheaders(self) -> list[tuple[str, str]]:
        return self.headers.items()


_PYTHON = f"Python-urllib/{urllib.request.__version__}"
"""Every opener's default User-Agent. It is not sent, so that the host can set its own."""


class HTTPHandler(urllib.request.BaseHandler):
    """`urllib.request.HTTPHandler` and `HTTPSHandler` for every opener that a program makes."""

    def __init__(self, *_: object, **__: object) -> None:
        """Accept the arguments of CPython's handlers and ignore them: the host checks certificates."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Add the opener's headers to the request."""
        for name, value in self.parent.addheaders:
            if value != _PYTHON and not request.has_header(name.capitalize()):
                request.add_unredirected_header(name.capitalize(), value)
        return request

    def http_open(self, request: urllib.request.Request) -> _UrlResponse:
        headers = {**request.unredirected_hdrs, **request.headers}
        body = request.data
        if body is not None and not isinstance(body, bytes | bytearray | memoryview):
            body = body.read() if hasattr(body, "read") else b"".join(body)
        if body is not None and not request.has_header("Content-type"):
            headers["Content-type"] = "application/x-www-form-urlencoded"
        timeout = request.timeout if isinstance(request.timeout, int | float) else None
        text = _request(request.get_method(), request.full_url, None, headers, body, None, timeout)
        try:
            return _UrlResponse(host.call_text("network.request", text))
        except errors.HttpError as exc:
            raise urllib.error.URLError(exc) from exc

    https_request, https_open = http_request, http_open


def install() -> None:
    """Make `urllib.request` send its requests through the host."""
    urllib.request.HTTPHandler = urllib.request.HTTPSHandler = HTTPHandler
