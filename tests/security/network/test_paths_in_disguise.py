"""Threat: a path that is inside an allowed folder as written, and outside as a server reads it."""

# The look-alike letters in this file are intended.

import pytest
from http_peers import answering, http, loopback, opened

from codeact_bridges.errors import BadRequest, BridgeError


@pytest.mark.parametrize(
    "path",
    [
        *("/public/../admin", "/public/./../admin", "/public/%2e%2e/admin", "/public/.%2e/admin", "/public/%2E./admin"),
        *(
            "/public/..%2fadmin",
            "/public%2f..%2fadmin",
            "/public/%2e%2e%2fadmin",
            "/public/..%5cadmin",
            "/public/..\\admin",
        ),
        *("/public/%252e%252e/admin", "/public/%252e%252e%252fadmin", "/public/%25252e%25252e/admin"),
        *(
            "/public/..;/admin",
            "/public/..;a=b/admin",
            "/public/;/../../admin",
            "/public/..%3b/admin",
            "/public/..%253b/x",
        ),
        *("/public/%c0%ae%c0%ae/admin", "/public/%c0%af../admin", "/public/%e0%80%ae%e0%80%ae/x", "/public/%ff"),
        *("/public/．．/admin", "/public/%ef%bc%8e%ef%bc%8e/admin", "/public/‥/admin", "/public/%ef%bc%8f../admin"),
        *("/public/%00", "/public/x%00.json", "/public/%0d%0aHost:x", "/public/%09", "/public/%7f", "/public/%2500"),
        *(
            "/public/.. /admin",
            "/public/..%20/admin",
            "/public/%20../admin",
            "/public/.../admin",
            "/public/..%2e/admin",
        ),
        *("/public", "/PUBLIC/x", "/public%2fx/../../admin", "//admin", "/admin;/public/x", "/admin%3f/public/x"),
        *("/admin#/public/x", "/admin?/public/x", "/%70ublic/../admin", "/public%252f..%252fadmin"),
        "/public/%" + "25" * 40 + "2e",
    ],
)
async def test_a_path_that_some_server_reads_differently_is_refused(path: str) -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port, paths=("/public/*",))) as guest:
        with pytest.raises(BridgeError) as refused:
            await guest.get(served.url(path))
    assert refused.value.guest_type in ("PermissionError", "InvalidRequest")
    assert served.connections == 0


@pytest.mark.parametrize(
    "path", ["/public/x", "/public/a%2Fb", "/public//x", "/public/a;b=c/d", "/public/100%25", "/public/ü"]
)
async def test_an_ordinary_path_is_allowed(path: str) -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port, paths=("/public/*",))) as guest:
        assert (await guest.get(served.url(path))).status == 200


async def test_a_rule_for_every_path_refuses_disguised_paths_too() -> None:
    async with opened(loopback(9)) as guest:
        for path in ("/..%2fx", "/%252e%252e/x", "/..;/x", "/%00"):
            with pytest.raises(BadRequest):
                await guest.get(f"http://127.0.0.1:9{path}")
