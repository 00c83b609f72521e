"""Task groups and periodic actions."""

import anyio

from codeact_bridges.system.task_groups import every


async def test_an_action_is_repeated_with_the_current_time_until_it_is_cancelled() -> None:
    times: list[float] = []

    def act(now: float) -> None:
        times.append(now)
        if len(times) == 3:
            scope.cancel()

    with anyio.fail_after(5):
        began = anyio.current_time()
        with anyio.CancelScope() as scope:
            await every(0.001, act)

    assert len(times) == 3
    assert began < times[0] < times[1] < times[2]
