"""The resolver port: the promises of both resolvers, and those of the system's resolver alone."""

import ipaddress

import anyio
import pytest

from codeact_bridges.network.resolver import CannotResolve, Resolver, SystemResolver, TableResolver

TABLE = {"localhost": [["127.0.0.1", "::1"]]}
RESOLVERS = [pytest.param(SystemResolver(), id="system"), pytest.param(TableResolver(TABLE), id="table")]


@pytest.mark.parametrize("resolver", RESOLVERS)
async def test_a_known_name_has_addresses_each_once(resolver: Resolver) -> None:
    with anyio.fail_after(5):
        found = await resolver.resolve("localhost")
    assert found
    assert set(found) <= {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("resolver", RESOLVERS)
async def test_an_unknown_name_is_an_error(resolver: Resolver) -> None:
    with anyio.fail_after(15), pytest.raises(CannotResolve, match="name"):
        await resolver.resolve("no-such-host.invalid")


@pytest.mark.parametrize("resolver", RESOLVERS)
async def test_many_look_ups_can_run_at_once(resolver: Resolver) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(resolver.resolve, "localhost")


async def test_a_look_up_can_be_cancelled() -> None:
    with anyio.move_on_after(0) as scope:
        await SystemResolver().resolve("localhost")
    assert scope.cancelled_caught


async def test_a_table_gives_its_answers_in_turn() -> None:
    resolver = TableResolver({"a": [["192.0.2.1"], ["192.0.2.2"]]})
    assert [str((await resolver.resolve("a"))[0]) for _ in range(3)] == ["192.0.2.1", "192.0.2.2", "192.0.2.2"]
