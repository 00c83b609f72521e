"""Threat: a name resolves to one address for the check and to another for the connection."""

import pytest
from http_peers import answering, http, opened, rule

from codeact_bridges.errors import NotAllowed
from codeact_bridges.network.resolver import TableResolver


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    async with answering(lambda seen: http("inside")) as served:
        # The second answer would be refused if the name were resolved again between check and connection.
        resolver = TableResolver({"rebind.example": [["127.0.0.1"], ["0.0.0.0"]]})
        allowed = rule("rebind.example", port=served.port, private=True)
        async with opened(allowed, resolver=resolver) as guest:
            answer = await guest.get(served.url(host="rebind.example"))
    assert answer.body == b"inside"
    assert resolver.lookups == ["rebind.example"]
    assert served.requests[0].headers["host"] == f"rebind.example:{served.port}"


async def test_every_new_connection_is_checked_again() -> None:
    async with answering(lambda seen: http("first", Connection="close")) as served:
        resolver = TableResolver({"rebind.example": [["127.0.0.1"], ["0.0.0.0"]]})
        allowed = rule("rebind.example", port=served.port, private=True)
        async with opened(allowed, resolver=resolver) as guest:
            await guest.get(served.url(host="rebind.example"))
            with pytest.raises(NotAllowed, match=r"0\.0\.0\.0"):
                await guest.get(served.url(host="rebind.example"))
    assert served.connections == 1


async def test_a_connection_made_for_a_private_rule_serves_no_other_rule() -> None:
    async with answering(lambda seen: http("inside")) as served:
        resolver = TableResolver({"both.example": [["127.0.0.1"]]})
        private = rule("both.example", port=served.port, private=True, paths=("/private/*",))
        public = rule("both.example", port=served.port, paths=("/public/*",))
        async with opened(private, public, resolver=resolver) as guest:
            await guest.get(served.url("/private/x", host="both.example"))
            with pytest.raises(NotAllowed, match="private = true"):
                await guest.get(served.url("/public/x", host="both.example"))
    assert [seen.target for seen in served.requests] == ["/private/x"]


async def test_a_redirect_by_name_is_resolved_and_checked_like_a_first_request() -> None:
    async with answering(lambda seen: http(status="302 Found", Location="http://rebind.example/x")) as served:
        resolver = TableResolver({"rebind.example": [["169.254.169.254"]]})
        here = rule("127.0.0.1", port=served.port, private=True)
        async with opened(here, rule("rebind.example"), resolver=resolver) as guest:
            with pytest.raises(NotAllowed, match=r"169\.254\.169\.254"):
                await guest.get(served.url())
