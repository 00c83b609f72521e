"""HTTP as a program sees it, through a real guest."""

import gzip
import json
from typing import Any

import pytest
from http_peers import Seen, answering, http, loopback
from lab import Lab

from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.mounts import mount
from codeact_bridges.limits import Limits
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.network.resolver import TableResolver
from codeact_bridges.network.rules import HostRule, HostRules


def network(*rules: HostRule, **limits: Any) -> tuple[NetworkBridge, ...]:
    return (NetworkBridge(HostRules(rules), Limits(**limits), resolver=TableResolver({})),)


def site(seen: Seen) -> bytes:
    """The site that the tests' programs request."""
    path = seen.target.partition("?")[0]
    match path:
        case "/echo":
            said = {
                "method": seen.method,
                "target": seen.target,
                "headers": dict(seen.headers),
                "body": seen.body.decode(),
            }
            return http(json.dumps(said), Content_Type="application/json")
        case "/missing":
            return http("there is no such thing", status="404 Not Found")
        case "/moved":
            return http(status="302 Found", Location="/echo")
        case "/outside":
            return http(status="302 Found", Location="http://169.254.169.254/latest/meta-data")
        case "/large":
            return http(b"0123456789" * 200_000)
        case "/medium":
            return http(b"0123456789" * 70_000)
        case "/binary":
            return http(bytes(range(256)), Content_Type="application/octet-stream")
        case "/latin":
            return http("grün".encode("latin-1"), Content_Type="text/plain; charset=ISO-8859-1", Set_Cookie="a=b")
        case "/zipped":
            return http(gzip.compress(b"hello"), Content_Encoding="gzip")
        case _:
            return http("hello")


async def test_a_response_has_the_attributes_that_programs_expect(lab: Lab) -> None:
    code = """
        params = {"q": "a b", "n": [1, 2], "none": None}
        r = http_request("GET", BASE + "/latin", params=params, headers={"X-Own": "yes"})
        {
            "status": [r.status, r.status_code, r["status"], r.ok, r.reason, r.raise_for_status() is r],
            "body": [r.text, list(r.content), r["body"], dict(r)],
            "url": r.url,
            "headers": [r.headers["Content-Type"], r.headers["CONTENT-TYPE"], r.headers.get("nope")],
            "cookies": ["set-cookie" in r.headers, r.headers.get_list("set-cookie")],
        }
    """
    async with answering(site) as served:
        value = await lab.value(_at(served.url(), code), configured=network(loopback(served.port)))
    kind, text = "text/plain; charset=ISO-8859-1", "grün"
    assert value == {
        "status": [200, 200, 200, True, "OK", True],
        "body": [text, list(text.encode("latin-1")), text, {"status": 200, "body": text}],
        "url": served.url("/latin?q=a+b&n=1&n=2"),
        "headers": [kind, kind, None],
        "cookies": [True, ["a=b"]],
    }
    assert served.requests[0].headers["x-own"] == "yes"


async def test_bytes_arrive_unchanged(lab: Lab) -> None:
    async with answering(site) as served:
        code = _at(served.url(), 'list(http_get(BASE + "/binary").content)')
        value = await lab.value(code, configured=network(loopback(served.port)))
    assert value == list(range(256))


async def test_a_body_too_large_for_the_guests_memory_is_an_error_that_says_what_to_do(lab: Lab) -> None:
    async with answering(lambda seen: http(bytes(30_000_000))) as served:
        configured = network(loopback(served.port))
        said = await lab.error(_at(served.url(), "http_get(BASE)"), configured=configured)
        code = """
            import urllib.request
            with urllib.request.urlopen(BASE) as answer:
                size = sum(len(piece) for piece in iter(lambda: answer.read(1_000_000), b""))
            size
        """
        size = await lab.value(_at(served.url(), code), configured=configured)
    assert (
        "HttpError: the response is larger than 22,369,621 bytes, the most that fits in memory: pass save_to=" in said
    )
    assert size == 30_000_000


async def test_a_download_goes_into_a_mounted_file(lab: Lab) -> None:
    code = """
        import os, urllib.request
        r = http_get(BASE + "/large", save_to="/scratch/a")
        sizes = [r.status, len(r.content), os.path.getsize("/scratch/a")]
        urllib.request.urlretrieve(BASE + "/large", "/scratch/b")
        sizes.append(os.path.getsize("/scratch/b"))
        missing = http_get(BASE + "/missing", save_to="/scratch/c")
        try:
            http_get(BASE + "/broken", save_to="/scratch/d")
        except HttpError as exc:
            pass
        try:
            http_get(BASE + "/large", save_to="/elsewhere")
        except PermissionError as exc:
            refused = str(exc)
        [sizes, missing.text, sorted(os.listdir("/scratch")), refused]
    """

    def answer(seen: Seen) -> bytes:
        broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n" + bytes(1_000_000) + b"\r\nzz\r\n"
        return broken if seen.target == "/broken" else site(seen)

    files = FilesBridge([mount("/scratch", "temp")], Limits().message_bytes)
    async with answering(answer) as served:
        value = await lab.value(_at(served.url(), code), configured=(files, *network(loopback(served.port))))
    sizes, missing, names, refused = value
    assert sizes == [200, 0, 2_000_000, 2_000_000]
    assert missing == "there is no such thing"
    assert names == ["a", "b"]
    assert "/scratch" in refused


@pytest.mark.parametrize(
    ("call", "method", "body", "content_type"),
    [
        ('http_request("POST", URL, json={"a": [1, "ü"]})', "POST", '{"a": [1, "ü"]}', "application/json"),
        ('http_request("put", URL, body="text ü")', "PUT", "text ü", None),
        ('http_request("POST", URL, body=b"bytes")', "POST", "bytes", None),
        ('http_post(URL, "{}")', "POST", "{}", "application/json"),
        ('http_post(URL, "a", "text/plain")', "POST", "a", "text/plain"),
        ('http_post(URL, json={"a": 1})', "POST", '{"a": 1}', "application/json"),
        ('http_get(URL, headers=[("Content-Type", "x/y")])', "GET", "", "x/y"),
    ],
)
async def test_a_programs_request_arrives(
    lab: Lab, call: str, method: str, body: str, content_type: str | None
) -> None:
    async with answering(site) as served:
        rule = loopback(served.port, methods=("GET", "POST", "PUT"))
        code = f"URL = {served.url('/echo')!r}\n{call}.json()"
        value = await lab.value(code, configured=network(rule))
    assert (value["method"], value["body"], value["headers"].get("content-type")) == (method, body, content_type)


async def test_a_program_for_the_stock_guest_runs(lab: Lab) -> None:
    code = """
        got = http_get(BASE + "/")
        posted = http_post(BASE + "/echo", body='{"a": 1}')
        import json
        [got["status"], got["body"], posted["status"], json.loads(posted["body"])["body"]]
    """
    async with answering(site) as served:
        rule = loopback(served.port, methods=("GET", "POST"))
        value = await lab.value(_at(served.url(), code), configured=network(rule))
    assert value == [200, "hello", 200, '{"a": 1}']


async def test_urllib_works(lab: Lab) -> None:
    code = """
        import urllib.error, urllib.parse, urllib.request, json
        with urllib.request.urlopen(BASE + "/zipped", timeout=5) as answer:
            first = [answer.status, answer.getcode(), answer.read(), answer.geturl() == BASE + "/zipped"]
        request = urllib.request.Request(
            BASE + "/echo", data=urllib.parse.urlencode({"a": "b"}).encode(), headers={"X-Own": "yes"}
        )
        said = json.load(urllib.request.urlopen(request))
        opener = urllib.request.build_opener()
        opener.addheaders = [("X-Opener", "me")]
        opened = json.load(opener.open(BASE + "/echo"))
        try:
            urllib.request.urlopen(BASE + "/missing")
        except urllib.error.HTTPError as exc:
            missing = [exc.code, exc.reason, exc.read().decode(), str(exc)]
        try:
            urllib.request.urlopen("http://127.0.0.1:1/")
        except PermissionError as exc:
            refused = str(exc)
        try:
            urllib.request.urlopen(BASE + "/gone")
        except urllib.error.URLError as exc:
            gone = str(exc)
        sizes = [len(piece) for piece in iter(lambda f=urllib.request.urlopen(BASE + "/large"): f.read(700_000), b"")]
        {"first": [first[0], first[1], first[2].decode(), first[3]], "said": said, "opened": opened, "missing": missing,
         "refused": refused, "gone": gone, "sizes": sizes}
    """

    def garbage(seen: Seen) -> bytes:
        return b"not HTTP at all\r\n\r\n" if seen.target == "/gone" else site(seen)

    async with answering(garbage) as served:
        rule = loopback(served.port, methods=("GET", "POST"))
        value = await lab.value(_at(served.url(), code), configured=network(rule))
    assert value["first"] == [200, 200, "hello", True]
    assert (value["said"]["method"], value["said"]["body"], value["said"]["headers"]["x-own"]) == ("POST", "a=b", "yes")
    assert value["said"]["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert value["opened"]["headers"]["x-opener"] == "me"
    assert value["missing"] == [404, "Not Found", "there is no such thing", "HTTP Error 404: Not Found"]
    assert "[[codeact.network]]" in value["refused"]
    assert value["gone"].startswith("<urlopen error GET ")
    assert value["sizes"] == [700_000, 700_000, 600_000]


async def test_requests_run_concurrently(lab: Lab) -> None:
    code = """
        import asyncio
        answers = await asyncio.gather(*[http_request_async("GET", f"{BASE}/echo?{i}") for i in range(20)])
        large = await asyncio.gather(*[http_request_async("GET", BASE + "/medium") for _ in range(40)])
        [[a.json()["target"] for a in answers], [len(a.content) for a in large]]
    """
    async with answering(site) as served:
        configured = network(loopback(served.port))
        value = await lab.value(_at(served.url(), code), configured=configured)
    assert value == [[f"/echo?{i}" for i in range(20)], [700_000] * 40]
    assert 1 < served.connections <= 16


async def test_a_request_that_no_rule_allows_raises_permission_error_with_the_rule(lab: Lab) -> None:
    async with answering(site) as served:
        configured = network(loopback(served.port))
        said = await lab.error('http_get("https://example.com/a")', configured=configured)
        redirected = await lab.error(f"http_get({served.url('/outside')!r})", configured=configured)
    assert said.splitlines()[-6:-2] == [
        "[[codeact.network]]",
        'host = "example.com"',
        'methods = ["GET"]',
        'paths = ["/a"]',
    ]
    assert "PermissionError: GET https://example.com/a is not allowed." in said
    assert "PermissionError: GET http://169.254.169.254/latest/meta-data (redirected from GET" in redirected


async def test_without_configuration_no_host_is_reachable_and_the_error_says_what_to_write(lab: Lab) -> None:
    said = await lab.error('http_get("https://example.com/a")')
    assert "PermissionError: GET https://example.com/a is not allowed. The operator can allow it" in said
    assert said.endswith("No host is allowed at present.\n")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ('http_get("http://user:pw@127.0.0.1/")', "InvalidRequest: "),
        ('http_get("ftp://127.0.0.1/")', "InvalidRequest: "),
        ('http_get(BASE, headers={"Host": "x"})', "InvalidRequest: the header Host cannot be set by programs"),
        ('http_get(BASE, headers={"X": "a\\r\\nb"})', "InvalidRequest: "),
        ('http_get(BASE, headers={"X": "a\\ud800"})', "TypeError: "),
        ("http_get(7)", "TypeError: http_request: method and URL must be strings: write http_request"),
        ('http_request("POST", BASE, body={"a": 1})', "TypeError: http_request: body must be text or bytes, not dict"),
        ('http_request("POST", BASE, body="a", json=1)', "TypeError: http_request: pass body or json, not both"),
        ('http_request("POST", BASE, json={1})', "TypeError: http_request(json=…): JSON has no set"),
        ("http_get(BASE, timeout=0)", "ValueError: http_request: timeout must be more than 0 seconds"),
        ('http_get(BASE, timeout="1")', "TypeError: http_request: timeout must be a number of seconds"),
        ('http_get(BASE + "/missing").raise_for_status()', "HttpStatusError: 404 Not Found for http://127"),
        (
            'http_get(BASE + "/missing").json()',
            "ValueError: the response is not JSON (status 404, no content type): 'there",
        ),
    ],
)
async def test_a_mistake_says_what_is_wrong(lab: Lab, call: str, error: str) -> None:
    async with answering(site) as served:
        rule = loopback(served.port, methods=("GET", "POST"))
        said = await lab.error(_at(served.url(), call), configured=network(rule))
    assert f"\n{error}" in said


async def test_a_transport_failure_is_an_os_error_that_a_program_can_catch(lab: Lab) -> None:
    code = """
        caught = []
        for url in (BASE + "/garbage", BASE + "/stall"):
            try:
                http_get(url, timeout=0.3)
            except HttpError as exc:
                caught.append([type(exc).__name__, isinstance(exc, OSError), isinstance(exc, TimeoutError), exc.reason])
        caught
    """

    def answer(seen: Seen) -> bytes:
        return b"garbage\r\n\r\n" if seen.target == "/garbage" else b"HTTP/1.1 200 OK\r\n"

    async with answering(answer) as served:
        value = await lab.value(_at(served.url(), code), configured=network(loopback(served.port)))
    assert [each[:3] for each in value] == [["HttpError", True, False], ["HttpTimeout", True, True]]
    assert value[1][3] == "not finished after 0.3 s"


async def test_a_program_never_sees_injected_headers(lab: Lab) -> None:
    async with answering(site) as served:
        rule = loopback(served.port, headers={"Authorization": "Bearer hunter2-hunter2"})
        result = await lab.run(_at(served.url(), 'http_get(BASE + "/echo").text'), configured=network(rule))
    assert served.requests[0].headers["authorization"] == "Bearer hunter2-hunter2"
    assert "hunter2" not in repr(result)
    assert result.value is not None
    assert "[masked]" in result.value.text


async def test_every_access_is_one_record(lab: Lab) -> None:
    code = """
        http_get(BASE + "/moved?token=not-for-logs")
        for url in ("http://example.com/", "http://a@b/"):
            try:
                http_get(url)
            except PermissionError:
                pass
    """
    async with answering(site) as served:
        result = await lab.run(_at(served.url(), code), configured=network(loopback(served.port)))
    assert result.failure is None, result.failure
    records = [(access.what, access.decision, access.rule.partition(",")[0]) for access in result.accesses]
    assert records[:3] == [
        (f"GET {served.url('/moved')}", "allow", 'host = "127.0.0.1"'),
        (f"GET {served.url('/echo')}", "allow", 'host = "127.0.0.1"'),
        ("GET http://example.com/", "deny", 'host = "example.com"'),
    ]
    assert records[3][1:] == ("deny", "none")
    assert [access.bytes > 0 for access in result.accesses] == [False, True, False, False]


async def test_a_program_may_catch_its_budget(lab: Lab) -> None:
    code = """
        try:
            for n in range(100):
                http_get(BASE)
        except BudgetSpent as exc:
            said = [n, str(exc)]
        said
    """
    async with answering(site) as served:
        configured = network(loopback(served.port), http_requests=5)
        value = await lab.value(_at(served.url(), code), configured=configured)
    assert value == [5, "this run has used its 5 HTTP requests (setting codeact.limits.http_requests)"]


def _at(base: str, code: str) -> str:
    """The program with BASE before it, at its own indentation."""
    indent = code[: len(code) - len(code.lstrip())].rpartition("\n")[2]
    return f"{indent}BASE = {base.rstrip('/')!r}\n{code.lstrip(chr(10))}"
