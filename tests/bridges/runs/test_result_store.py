"""What is kept for later: bounded, the oldest first out, and nobody else's."""

import json

import pytest

from codeact_bridges.bridge import Handler, Usage
from codeact_bridges.errors import BadGuestCall
from codeact_bridges.runs.result_store import MAX_KEPT, ResultStore, shortened
from codeact_bridges.values import Output, Printed, ResultLink, RunResult, Value


def keeping(limit_bytes: int = 1_000, message_bytes: int = 100_000) -> ResultStore:
    return ResultStore(limit_bytes, message_bytes=message_bytes)


def keep(kept: ResultStore, text: str, owner: str = "me") -> str:
    link = kept.keep(owner, "a value", "text/plain", text)
    assert link is not None
    return link.uri


async def handlers(kept: ResultStore, owner: str = "me") -> dict[str, Handler]:
    async with kept.bridge(owner).open(Usage()) as opened:
        return dict(opened.handlers)


def test_what_is_kept_can_be_read_by_its_owner_alone() -> None:
    kept = keeping()
    uri = keep(kept, "mine")

    assert kept.read("me", uri) == ("text/plain", "mine")
    with pytest.raises(LookupError) as somebody_elses:
        kept.read("you", uri)
    with pytest.raises(LookupError) as nobodys:
        kept.read("you", "result://nothing")
    assert str(somebody_elses.value).replace(uri, "X") == str(nobodys.value).replace("result://nothing", "X")
    assert kept.of("you") == []


def test_the_oldest_go_first_when_there_is_no_more_room() -> None:
    kept = keeping(limit_bytes=10)
    first, second, third = (keep(kept, text) for text in ("aaaa", "bbbb", "cccc"))

    assert [uri for uri, *_ in kept.of("me")] == [third, second]
    with pytest.raises(LookupError, match="went to make room"):
        kept.read("me", first)


def test_bytes_are_counted_not_characters() -> None:
    kept = keeping(limit_bytes=10)
    first = keep(kept, "ääää")
    keep(kept, "äää")

    with pytest.raises(LookupError):
        kept.read("me", first)


def test_what_is_larger_than_all_room_is_not_kept_and_takes_nothing_with_it() -> None:
    kept = keeping(limit_bytes=10)
    uri = keep(kept, "small")

    assert kept.keep("me", "a value", "text/plain", "x" * 11) is None
    assert kept.read("me", uri) == ("text/plain", "small")


def test_there_are_only_so_many_however_small_they_are() -> None:
    kept = keeping()
    for _ in range(MAX_KEPT + 5):
        keep(kept, "")

    assert len(kept.of("me")) == MAX_KEPT


async def test_a_program_reads_a_long_result_in_pieces_that_fit_into_a_message_whatever_is_in_it() -> None:
    kept = keeping(10_000_000, message_bytes=100_000)
    text = "\0" * 50_000 + "x" * 50_000
    uri = keep(kept, text)
    load = (await handlers(kept))["results.load"]

    pieces: list[str] = []
    offset: int | None = 0
    while offset is not None:
        answer = await load(json.dumps({"id": uri, "offset": offset}))
        assert len(answer.encode()) <= 100_000
        piece = json.loads(answer)
        pieces.append(piece["text"])
        offset = piece["next"]

    assert "".join(pieces) == text


async def test_a_program_cannot_read_what_another_client_keeps() -> None:
    kept = keeping()
    uri = keep(kept, "mine")

    with pytest.raises(BadGuestCall, match="nothing is kept as"):
        await (await handlers(kept, "you"))["results.load"](json.dumps({"id": uri}))


@pytest.mark.parametrize(
    ("form", "text", "mime_type"), [("json", "[1]", "application/json"), ("text", "a\nb", "text/plain")]
)
async def test_what_a_program_saves_is_there_with_its_type(form: str, text: str, mime_type: str) -> None:
    kept = keeping()

    uri = json.loads(await (await handlers(kept))["results.save"](json.dumps({"form": form, "text": text})))

    assert kept.read("me", uri) == (mime_type, text)


async def test_a_program_is_told_that_its_value_is_too_large() -> None:
    save = (await handlers(keeping(limit_bytes=3)))["results.save"]

    with pytest.raises(BadGuestCall, match=r"setting codeact\.limits\.kept_bytes"):
        await save(json.dumps({"form": "text", "text": "four"}))


def long_result() -> RunResult:
    output = Output((Printed("stdout", "ab"), Printed("stderr", "cd"), Printed("stdout", "ef")))
    return RunResult("double", "none", 0.0, output=output, value=Value("json", "[1,2,3]"))


def test_what_is_too_long_for_the_client_is_cut_and_kept_whole() -> None:
    kept = keeping()

    def keep_mine(what: str, mime_type: str, text: str) -> ResultLink | None:
        return kept.keep("me", what, mime_type, text)

    short = shortened(long_result(), 3, keep_mine)

    assert short.output == Output((Printed("stdout", "ab"), Printed("stderr", "c")), cut_bytes=3)
    assert short.value == Value("json", "[1,", cut_bytes=4)
    assert [kept.read("me", link.uri) for link in short.kept] == [
        ("text/plain", "abcdef"),
        ("application/json", "[1,2,3]"),
    ]


def test_what_is_short_enough_stays_as_it_is() -> None:
    def never(what: str, mime_type: str, text: str) -> ResultLink | None:
        raise AssertionError("nothing is to be kept")

    assert shortened(long_result(), 1_000, never) == long_result()


def test_where_nothing_can_be_kept_it_is_cut_all_the_same() -> None:
    short = shortened(long_result(), 3, None)

    assert short.kept == ()
    assert short.output.cut_bytes == 3
