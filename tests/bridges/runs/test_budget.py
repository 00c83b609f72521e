"""A run's budgets, and its output up to a limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_bridges.errors import BudgetSpent
from codeact_bridges.runs.budget import Budget, OutputBuffer
from codeact_bridges.text import cut_text


def test_a_budget_gives_what_is_left_and_not_one_more() -> None:
    budget = Budget("tool calls", 2, "codeact.limits.tool_calls")
    budget.take()
    budget.take()
    with pytest.raises(
        BudgetSpent, match=r"^this run has used its 2 tool calls \(setting codeact.limits.tool_calls\)$"
    ):
        budget.take()
    assert budget.used == 2


def test_a_budget_that_refuses_uses_nothing() -> None:
    budget = Budget("bytes", 10, "x")
    with pytest.raises(BudgetSpent):
        budget.take(11)
    budget.take(10)


@given(st.text(), st.integers(min_value=0, max_value=50))
def test_a_cut_text_is_a_beginning_that_fits_and_the_rest_is_counted(text: str, limit: int) -> None:
    held, cut = cut_text(text, limit)
    assert text.startswith(held)
    assert len(held.encode()) <= limit
    assert len(held.encode()) + cut == len(text.encode())


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=20))),
    st.integers(min_value=0, max_value=60),
)
def test_output_is_held_in_order_up_to_the_limit(pieces: list[tuple[str, str]], limit: int) -> None:
    buffer = OutputBuffer(limit)
    passed_on = "".join(buffer.add("stdout" if stream == "stdout" else "stderr", text) for stream, text in pieces)
    output = buffer.output()
    held = "".join(piece.text for piece in output.pieces)
    everything = "".join(text for _, text in pieces)
    assert passed_on == held
    assert everything.startswith(held)
    assert len(held.encode()) <= limit
    assert len(held.encode()) + output.cut_bytes == len(everything.encode())


def test_pieces_of_one_stream_become_one_and_another_stream_parts_them() -> None:
    buffer = OutputBuffer(100)
    for stream, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")):
        buffer.add("stderr" if stream == "stderr" else "stdout", text)
    assert [(piece.stream, piece.text) for piece in buffer.output().pieces] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]
