"""Who is told that the sandbox is being prepared: everybody who waits, once, and nobody after it."""

from codeact_bridges.sandbox.preparation import Preparation


def test_those_who_wait_are_told_once_when_it_takes_long() -> None:
    told: list[str] = []
    preparation = Preparation()
    with preparation.observed(lambda: told.append("a")), preparation.observed(lambda: told.append("b")):
        assert told == []
        preparation.takes_long()
        preparation.takes_long()

    assert told == ["a", "b"]


def test_those_who_come_later_are_told_at_once() -> None:
    told: list[str] = []
    preparation = Preparation()
    preparation.takes_long()
    with preparation.observed(lambda: told.append("a")):
        assert told == ["a"]


def test_those_who_have_left_are_not_told() -> None:
    told: list[str] = []
    preparation = Preparation()
    with preparation.observed(lambda: told.append("a")):
        pass
    preparation.takes_long()

    assert told == []


def test_after_its_end_nobody_is_told() -> None:
    told: list[str] = []
    preparation = Preparation()
    with preparation.observed(lambda: told.append("a")):
        preparation.end()
        preparation.takes_long()
    with preparation.observed(lambda: told.append("b")):
        preparation.takes_long()

    assert told == []
