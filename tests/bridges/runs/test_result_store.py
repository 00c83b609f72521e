"""What is results for later: bounded, the oldest first out, and nobody else's."""

import json

import pytest

from codeact_bridges.bridge import Handler, Usage
from codeact_bridges.errors import BadGuestCall
from codeact_bridges.runs.result_store import MAX_STORED, ResultStore


def a_store(limit_bytes: int = 1_000, message_bytes: int = 100_000) -> ResultStore:
    return ResultStore(limit_bytes, message_bytes=message_bytes)


def store(results: ResultStore, text: str, owner: str = "me") -> str:
    link = results.store(owner, "a value", "text/plain", text)
    assert link is not None
    return link.uri


async def handlers(results: ResultStore, owner: str = "me") -> dict[str, Handler]:
    async with results.bridge(owner).open(Usage()) as opened:
        return dict(opened.handlers)


def test_a_stored_result_can_be_read_by_its_owner_alone() -> None:
    results = a_store()
    uri = store(results, "mine")

    assert results.read("me", uri) == ("text/plain", "mine")
    with pytest.raises(LookupError) as somebody_elses:
        results.read("you", uri)
    with pytest.raises(LookupError) as nobodys:
        results.read("you", "result://nothing")
    assert str(somebody_elses.value).replace(uri, "X") == str(nobodys.value).replace("result://nothing", "X")
    assert results.links("you") == []


def test_the_oldest_are_removed_first() -> None:
    results = a_store(limit_bytes=10)
    first, second, third = (store(results, text) for text in ("aaaa", "bbbb", "cccc"))

    assert [link.uri for link in results.links("me")] == [third, second]
    with pytest.raises(LookupError, match="was removed to make room"):
        results.read("me", first)


def test_all_results_of_an_owner_can_be_removed_and_leave_their_room() -> None:
    results = a_store(limit_bytes=12)
    mine, yours = [store(results, "aaaa") for _ in range(2)], store(results, "bbbb", "you")
    results.remove_all("me")

    assert results.links("me") == []
    assert results.read("you", yours)[1] == "bbbb"
    with pytest.raises(LookupError):
        results.read("me", mine[0])
    store(results, "cccccccc")
    assert results.read("you", yours)[1] == "bbbb"


def test_bytes_are_counted_not_characters() -> None:
    results = a_store(limit_bytes=10)
    first = store(results, "ääää")
    store(results, "äää")

    with pytest.raises(LookupError):
        results.read("me", first)


def test_a_text_larger_than_the_store_is_not_stored_and_removes_nothing() -> None:
    results = a_store(limit_bytes=10)
    uri = store(results, "small")

    assert results.store("me", "a value", "text/plain", "x" * 11) is None
    assert results.read("me", uri) == ("text/plain", "small")


def test_the_number_of_results_is_limited_however_small_they_are() -> None:
    results = a_store()
    for _ in range(MAX_STORED + 5):
        store(results, "")

    assert len(results.links("me")) == MAX_STORED


async def test_a_program_reads_a_long_result_in_pieces_that_fit_into_a_message_whatever_is_in_it() -> None:
    results = a_store(10_000_000, message_bytes=100_000)
    text = "\0" * 50_000 + "x" * 50_000
    uri = store(results, text)
    load = (await handlers(results))["results.load"]

    pieces: list[str] = []
    offset: int | None = 0
    while offset is not None:
        answer = await load(json.dumps({"id": uri, "offset": offset}))
        assert len(answer.encode()) <= 100_000
        piece = json.loads(answer)
        pieces.append(piece["text"])
        offset = piece["next"]

    assert "".join(pieces) == text


async def test_a_program_cannot_read_the_results_of_another_client() -> None:
    results = a_store()
    uri = store(results, "mine")

    with pytest.raises(BadGuestCall, match="there is no stored result"):
        await (await handlers(results, "you"))["results.load"](json.dumps({"id": uri}))


@pytest.mark.parametrize(
    ("form", "text", "mime_type"), [("json", "[1]", "application/json"), ("text", "a\nb", "text/plain")]
)
async def test_what_a_program_saves_is_there_with_its_type(form: str, text: str, mime_type: str) -> None:
    results = a_store()

    uri = json.loads(await (await handlers(results))["results.save"](json.dumps({"form": form, "text": text})))

    assert results.read("me", uri) == (mime_type, text)


async def test_a_program_is_told_that_its_value_is_too_large() -> None:
    save = (await handlers(a_store(limit_bytes=3)))["results.save"]

    with pytest.raises(BadGuestCall, match=r"setting codeact\.limits\.kept_bytes"):
        await save(json.dumps({"form": "text", "text": "four"}))
