"""The request that follows a redirect."""

import pytest

from codeact_bridges.network.redirects import HttpRequest, redirected
from codeact_bridges.network.url import parse

HEADERS = (("Authorization", "secret"), ("Content-Type", "text/plain"), ("Accept", "*/*"))


def request(method: str = "POST") -> HttpRequest:
    return HttpRequest(method, parse("https://a.example/x"), HEADERS, b"body")


@pytest.mark.parametrize("status", [200, 300, 304, 305, 306, 400])
def test_no_other_status_redirects(status: int) -> None:
    assert redirected(request(), status, "/y") is None


def test_nothing_follows_without_a_location() -> None:
    assert redirected(request(), 302, None) is None


@pytest.mark.parametrize(
    ("method", "status", "following"),
    [
        *[("POST", status, "GET") for status in (301, 302, 303)],
        *[("POST", status, "POST") for status in (307, 308)],
        *[("PUT", status, "PUT") for status in (301, 302, 307, 308)],
        ("PUT", 303, "GET"),
        *[("HEAD", status, "HEAD") for status in (301, 302, 303, 307, 308)],
    ],
)
def test_the_method_is_that_of_the_fetch_standard(method: str, status: int, following: str) -> None:
    found = redirected(request(method), status, "/y")

    assert found is not None
    assert found.method == following


@pytest.mark.parametrize(("status", "body", "has_type"), [(303, b"", False), (307, b"body", True)])
def test_the_body_goes_with_its_headers(status: int, body: bytes, has_type: bool) -> None:
    found = redirected(request(), status, "/y")

    assert found is not None
    assert (found.body, "Content-Type" in dict(found.headers)) == (body, has_type)


def test_credentials_stay_with_their_origin() -> None:
    found = redirected(request(), 307, "/y")

    assert found is not None
    assert found.first_origin
    assert "Authorization" in dict(found.headers)


@pytest.mark.parametrize(
    "location", ["https://b.example/", "http://a.example/x", "https://a.example:444/x", "//b.example/x"]
)
def test_another_scheme_host_or_port_gets_no_credentials(location: str) -> None:
    found = redirected(request(), 307, location)

    assert found is not None
    assert not found.first_origin
    assert "Authorization" not in dict(found.headers)


def test_the_first_origin_is_not_the_first_again_after_another_one() -> None:
    away = redirected(request(), 307, "https://b.example/")
    assert away is not None
    back = redirected(away, 307, "https://a.example/x")

    assert back is not None
    assert not back.first_origin
