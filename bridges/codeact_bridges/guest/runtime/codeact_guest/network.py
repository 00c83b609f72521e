"""HTTP through the host, which decides what is allowed, follows redirects and adds what the operator told it to add.

A body comes in pieces: as much as fits into a message with the answer itself (`network.request`), the rest one by one
(`network.read`), so that a large download goes into a file without ever being in memory as a whole.
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

from codeact_guest import errors, loop, values
from codeact_guest import host as door

_most_in_memory = 20_000_000
"""Bytes of a body that may be held in memory: it is there up to three times while it becomes text."""


def begin(told: dict[str, int] | None) -> None:
    """Learn from the host how much memory there is."""
    global _most_in_memory
    if told is not None:
        _most_in_memory = told["most_in_memory"]


class Headers(Mapping):
    """An answer's headers: capital letters make no difference, and what came several times is joined with commas."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(str(name), str(value)) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        found = self.get_list(name)
        if not found:
            raise KeyError(name)
        return ", ".join(found)

    def get_list(self, name: str) -> list[str]:
        """Each of the values of a header that may come several times, as Set-Cookie does."""
        return [value for key, value in self._pairs if key.lower() == str(name).lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return repr(dict(self))


class Response(dict):
    """The answer to a request. As a dict it is what Hyperlight's stock guest gives: `{"status", "body"}`."""

    def __init__(self, head: Mapping[str, object], content: bytes, saved_to: str | None) -> None:
        self.status: int = head["status"]
        self.status_code = self.status
        self.reason: str = head["reason"]
        self.url: str = head["url"]
        """Where the answer came from, after redirects."""
        self.headers = Headers(head["headers"])
        self.saved_to = saved_to
        """The file that the body went to; then `content` and `text` are empty."""
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
        """The body as it came. Of UTF-8 only the text is kept: memory is what a guest has least of."""
        return self.text.encode() if self._content is None else self._content

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    def json(self) -> object:
        """The body, read as JSON."""
        try:
            return json_module.loads(self.content)
        except ValueError as exc:
            kind = self.headers.get("content-type", "no content type")
            raise ValueError(f"the answer is not JSON (status {self.status}, {kind}): {self.text[:200]!r}") from exc

    def raise_for_status(self) -> "Response":
        """This, or `HttpStatusError` if the status is 400 or more."""
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
    """Send a request to a host that the operator allows, and wait for the answer.

    Args:
        params: a dict or pairs, put behind the URL's `?`.
        body: text or bytes; or `json`, a value that is sent as JSON.
        timeout: seconds for everything, redirects and body included.
        save_to: a file that a successful answer's body is written to, piece by piece.

    Raises:
        PermissionError: no rule allows it; says which would.
        HttpError: there was no whole answer (`HttpTimeout`: not in time). An answer with status 400 or more is one.
    """
    answer = door.ask_text("network.request", _request(method, url, params, headers, body, json, timeout))
    pieces = _assembled(answer, save_to)
    try:
        number = next(pieces)
        while True:
            number = pieces.send(door.ask("network.read", id=number))
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
    """As `http_request`, awaited: several at once with `asyncio.gather`."""
    request = _request(method, url, params, headers, body, json, timeout)
    pieces = _assembled(await loop.ask_async("network.request", request), save_to)
    try:
        number = next(pieces)
        while True:
            number = pieces.send(await loop.ask_async("network.read", json_module.dumps({"id": number})))
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
        raise TypeError('http_request: write http_request("GET", "https://…"), method and URL as strings')
    if body is not None and json is not None:
        raise TypeError("http_request: body or json, not both")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise TypeError(f"http_request: timeout is a number of seconds, not {timeout!r}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"http_request: timeout is more than 0 seconds, not {timeout!r}")
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
            f"http_request: body is text or bytes, not {type(body).__name__}; "
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
    """The response, once every piece is there: yields the number that the next one is asked for under."""
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
                            f"the answer is larger than {_most_in_memory:,} bytes, too large for this memory: "
                            "pass save_to='/a/mounted/file', "
                            "or read it in pieces with urllib.request.urlopen(url)"
                        )
                    sink.write(_bytes(answer))
                content = sink.getvalue() if saved_to is None else b""
        except BaseException:
            if saved_to is not None:
                with contextlib.suppress(OSError):
                    os.remove(saved_to)  # half a download looks like a whole one
            raise
    finally:
        if more is not None:
            door.ask("network.close", id=more)
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
    """A body as a file, fetched as it is read."""

    def __init__(self, answer: Mapping[str, object]) -> None:
        self._waiting, self._more = _bytes(answer), answer["more"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        while not self._waiting and self._more is not None:
            number, self._more = self._more, None
            piece = door.ask("network.read", id=number)
            self._waiting, self._more = _bytes(piece), piece["more"]
        size = min(len(buffer), len(self._waiting))
        buffer[:size], self._waiting = self._waiting[:size], self._waiting[size:]
        return size

    def close(self) -> None:
        if self._more is not None:
            number, self._more = self._more, None
            door.ask("network.close", id=number)
        super().close()


class _UrlResponse(urllib.response.addinfourl):
    """What `urlopen` gives, with what programs use of `http.client.HTTPResponse`."""

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
"""The name that every opener gives itself unless told otherwise; what says nothing is left to the host."""


class HTTPHandler(urllib.request.BaseHandler):
    """`urllib.request.HTTPHandler` and `HTTPSHandler` for every opener that a program makes."""

    def __init__(self, *_: object, **__: object) -> None:
        """Takes what the real ones take. Certificates are the host's to check."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Add what the opener adds to every request."""
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
            return _UrlResponse(door.ask_text("network.request", text))
        except errors.HttpError as exc:
            raise urllib.error.URLError(exc) from exc

    https_request, https_open = http_request, http_open


def install() -> None:
    """Make `urllib.request` speak through the host."""
    urllib.request.HTTPHandler = urllib.request.HTTPSHandler = HTTPHandler
