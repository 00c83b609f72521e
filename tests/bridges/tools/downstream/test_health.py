"""The backoff between attempts to reach a server that failed."""

from codeact_bridges.tools.downstream.health import EAGER_ATTEMPTS, LONGEST_PAUSE_S, Backoff


def test_a_server_that_never_failed_is_tried_at_once() -> None:
    assert Backoff().pause_s == 0


def test_pauses_double_up_to_a_minute() -> None:
    backoff, pauses = Backoff(), list[float]()
    for _ in range(12):
        backoff = backoff.failed()
        pauses.append(backoff.pause_s)
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_after_some_failures_only_a_call_starts_the_next_attempt() -> None:
    backoff = Backoff(EAGER_ATTEMPTS)
    assert not backoff.waits_for_a_call
    assert backoff.failed().waits_for_a_call
