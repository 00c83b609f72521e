"""What real clients show their model: asserted on the requests that they send to it.

See `tests/support/real_clients`: one conversation for each client, with one program for each check. A check that fails
shows what stood in the request.
"""

import json
import re

import pytest
from real_clients.conversation import Conversation
from real_clients.programs import DENIED, LONG, PICTURE, SLOW, TICKS, TOOL_ERROR, TRACEBACK, VALUES
from real_clients.script import Step

pytestmark = pytest.mark.clients

SIGNATURES = (r"orders\.list_orders\(", r"orders\.get_order\([^)]*order_id")
NOT_ASKED = re.compile("nobody was asked|this client cannot ask its user")
RULE = '{"tool": "orders.customer_addresses", "action": "allow"}'
"""As it can be pasted into the configuration, which is JSON."""

MARKS = re.compile(r"""[^\s>"'](\[(?:result|failed|stored)\])""")


def expect(conversation: Conversation, step: Step) -> str:
    """The text that the model was shown of the step, which must be all that the step shows."""
    text = conversation.text(step.name)
    missing = [pattern for pattern in step.shows if not re.search(pattern, text)]
    if missing:
        pytest.fail(f"{missing} not in what the model was shown:\n{text or '(nothing)'}\n{conversation.report}", False)
    return text


def test_the_conversation_comes_to_its_end(conversation: Conversation) -> None:
    assert [step for step, results in conversation.results.items() if not results] == [], conversation.report


@pytest.mark.parametrize("step", VALUES, ids=lambda step: step.name)
def test_a_result_of_every_kind_is_shown_whole(conversation: Conversation, step: Step) -> None:
    expect(conversation, step)


def test_the_first_definition_has_the_signatures(conversation: Conversation) -> None:
    assert conversation.definition is not None, conversation.report
    description = conversation.definition.description
    assert [pattern for pattern in SIGNATURES if not re.search(pattern, description)] == [], description


def test_the_instructions_are_in_the_prompt(conversation: Conversation) -> None:
    sent = conversation.answers("initialize", "server/discover")[0]["instructions"]
    assert "orders" in sent
    begins = json.dumps(sent)[1:80]
    assert any(begins in request for request in conversation.requests) == conversation.client.shows_instructions


def test_the_first_list_of_tools_says_that_they_only_read(conversation: Conversation) -> None:
    first = conversation.answers("tools/list")[0]
    assert [tool["annotations"]["readOnlyHint"] for tool in first["tools"]] == [True], first


def test_a_value_is_shown_after_a_long_print(conversation: Conversation) -> None:
    expect(conversation, LONG)


def test_every_block_begins_a_line(conversation: Conversation) -> None:
    for name, results in conversation.results.items():
        for result in results:
            assert not MARKS.search(result.text), f"{name}: {result.text}"


def test_blocks_end_with_a_newline_on_the_wire(conversation: Conversation) -> None:
    for answer in conversation.answers("tools/call"):
        for block in answer.get("content", ()):  # 2026-07-28 may ask something first
            assert block["type"] != "text" or block["text"].endswith("\n"), block


@pytest.mark.parametrize("step", [TRACEBACK, TOOL_ERROR], ids=lambda step: step.name)
def test_a_failure_is_shown_with_its_traceback(conversation: Conversation, step: Step) -> None:
    expect(conversation, step)


def test_a_denial_names_the_rule(conversation: Conversation) -> None:
    text = expect(conversation, DENIED)
    assert "codeact.policy.rules" in text, text
    assert RULE in text, text


def test_a_denial_says_that_nobody_was_asked(conversation: Conversation) -> None:
    text = expect(conversation, DENIED)
    assert NOT_ASKED.search(text), text


def test_a_picture_is_shown(conversation: Conversation) -> None:
    expect(conversation, PICTURE)
    images = [image for result in conversation.results[PICTURE.name] for image in result.images]
    assert images == (["image/png"] if conversation.client.shows_images else [])


def test_a_slow_program_is_shown_whole(conversation: Conversation) -> None:
    text = expect(conversation, SLOW)
    assert re.findall(r"tick \d\d", text) == TICKS, text
    if conversation.client.waits_for_handles:
        assert len(conversation.results[SLOW.name]) > 1, text


def test_nothing_outlives_the_client(conversation: Conversation) -> None:
    assert conversation.left == []
