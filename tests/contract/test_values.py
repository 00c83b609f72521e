"""What crosses between the program and the world, exactly or not at all."""

import pytest
from lab import Lab, shown

from codeact_bridges.testing import ScriptedTools, ToolScript
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolParts, ToolValue

JSON = [
    "None", "True", "0", "-1", "2**53 + 1", "2**200", "-(10**3999)", "1.5", "-0.0", "1e-300", "''", "'ü 😀 \\u2028 \\x00'",
    "[]", "{}", "[1, [2, [3]]]", "{'a': {'b': None}, '': 1}",
]  # fmt: skip


@pytest.mark.parametrize("value", JSON)
async def test_a_value_that_json_can_say_reaches_a_tool_and_comes_back_the_same(lab: Lab, value: str) -> None:
    assert await lab.value(f"v = {value}; r = call_tool('echo', v=v)['v']; [r == v, repr(r) == repr(v)]") == [
        True,
        True,
    ]


@pytest.mark.parametrize("value", JSON)
async def test_a_value_that_json_can_say_is_the_result_as_json(lab: Lab, value: str) -> None:
    expected: JsonValue = eval(value)
    assert await lab.value(value if value != "None" else "[None]") == ([None] if value == "None" else expected)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("datetime.datetime(2026, 1, 2)", "JSON has no datetime (at ['v']): pass x.isoformat()"),
        ("datetime.timedelta(1)", "JSON has no timedelta (at ['v']): pass x.total_seconds()"),
        ("decimal.Decimal('1.10')", "JSON has no Decimal (at ['v']): pass str(x), or float(x)"),
        ("{1, 2}", "JSON has no set (at ['v']): pass sorted(x), or list(x)"),
        ("b'x'", "JSON has no bytes (at ['v']): pass base64.b64encode(x).decode(), or x.decode()"),
        ("[{'k': 1j}]", "JSON has no complex (at ['v'][0]['k']): pass [x.real, x.imag]"),
        ("enum.Enum('E', 'A').A", "JSON has no E (at ['v']): pass x.value"),
        ("float('nan')", "JSON has no nan (at ['v']): pass None or a string"),
        ("float('-inf')", "JSON has no -inf (at ['v']): pass None or a string"),
        ("{1: 2}", "a JSON object's keys must be strings, but 1 (at ['v']) is an int: write str(key)"),
        ("'\\ud800'", "it contains '\\ud800', an unpaired surrogate, which UTF-8 cannot encode"),
        ("10**4000", "an integer of more than 4,000 digits (at ['v']) is too long for JSON: pass str(x)"),
        ("object()", "JSON has no object (at ['v']): pass a dict, list, string or number"),
    ],
)
async def test_an_argument_that_json_cannot_say_is_an_error_that_names_its_place_and_the_way_out(
    lab: Lab, value: str, said: str
) -> None:
    tools = ScriptedTools()
    error = await lab.error(f"import datetime, decimal, enum\ncall_tool('test.echo', v={value})", tools)
    assert error.endswith(f"TypeError: call_tool('test.echo'): {said}\n")
    assert tools.called == []


async def test_tuples_and_dataclasses_and_number_enums_are_sent_as_what_they_hold(lab: Lab) -> None:
    assert await lab.value("""
        import collections, dataclasses, enum
        @dataclasses.dataclass
        class Point:
            x: int
            tags: tuple = ("a",)
        class Size(enum.IntEnum):
            L = 3
        class Mode(enum.StrEnum):
            FAST = "fast"
        N = collections.namedtuple("N", "a b")
        call_tool("echo", v=[Point(1), Size.L, Mode.FAST, N(1, 2), True, collections.OrderedDict(k=(1,))])
    """) == {"v": [{"x": 1, "tags": ["a"]}, 3, "fast", [1, 2], True, {"k": [1]}]}


@pytest.mark.parametrize(
    ("program", "form", "text"),
    [
        ("{1: 'a'}", "repr", "{1: 'a'}"),
        ("{1, 2}", "repr", "{1, 2}"),
        ("[float('nan'), float('inf')]", "repr", "[nan, inf]"),
        ("b'x'", "repr", "b'x'"),
        ("import datetime; datetime.date(2026, 1, 2)", "repr", "datetime.date(2026, 1, 2)"),
        ("import decimal; [decimal.Decimal('1.10')]", "repr", "[Decimal('1.10')]"),
        ("'a\\nb'", "text", "a\nb"),
        ("'one line'", "json", '"one line"'),
        ("'\\ud800'", "repr", "'\\ud800'"),
        ("x = [1]; x.append(x); x", "repr", "[1, [...]]"),
        ("10**4300", "repr", "1" + "0" * 4300),
        ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\nP(1)", "json", '{"x": 1}'),
    ],
)
async def test_a_result_is_json_where_json_says_the_same_else_text_else_its_repr(
    lab: Lab, program: str, form: str, text: str
) -> None:
    result = await lab.run(program)
    assert result.value is not None, result
    assert (result.value.form, result.value.text) == (form, text)


@pytest.mark.parametrize("program", ["", "# nothing", "x = 5", "None", "if True:\n    5", "def f(): return 1"])
async def test_a_program_without_a_last_expression_or_with_none_has_no_value(lab: Lab, program: str) -> None:
    result = await lab.run(program)
    assert (result.value, result.failure) == (None, None)


@pytest.mark.parametrize(
    "program", ["1; 2; 3", "x = 3\nx;", "async def f(): return 3\nawait f()", "async def f(): return 3\nf()"]
)
async def test_the_last_expression_is_the_value_and_a_coroutine_there_is_awaited(lab: Lab, program: str) -> None:
    assert await lab.value(program) == 3


async def test_a_repr_that_raises_is_the_programs_error(lab: Lab) -> None:
    error = await lab.error("class A:\n    def __repr__(self): raise ValueError('no repr')\nA()")
    assert error.splitlines()[0] == "Traceback (most recent call last):"
    assert error.endswith(
        "File \"program.py\", line 2, in __repr__\n    def __repr__(self): raise ValueError('no repr')\n                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^\nValueError: no repr\n"
    )


def giving(value: ToolValue) -> ScriptedTools:
    async def give(_: object) -> ToolValue:
        return value

    script: ToolScript = give
    return ScriptedTools({"test.give": script})


async def test_what_a_tool_gives_arrives_as_data_images_links_and_lists_of_these(lab: Lab) -> None:
    parts = ToolParts(
        (Data({"n": 2**70}), Media("image", "image/png", "iVBORw=="), Link("file:///a", "a", "text/plain"))
    )
    printed = await lab.printed("for each in call_tool('give'): print(repr(each))", giving(parts))
    assert printed.splitlines() == [
        "{'n': 1180591620717411303424}",
        "<image image/png, 4 bytes>",
        "Link(uri='file:///a', name='a', mime_type='text/plain')",
    ]


async def test_nan_and_infinity_from_a_tool_arrive(lab: Lab) -> None:
    assert await lab.printed("print(call_tool('give'))", giving(Data([float("nan"), float("inf")]))) == "[nan, inf]\n"


async def test_a_media_results_bytes_and_text_can_be_used(lab: Lab) -> None:
    tools = giving(Media("resource", "text/plain", "aMOp", "file:///x"))
    assert await lab.value("m = call_tool('give'); [m.text, list(m.data), m.mime_type, m.uri, m.kind]", tools) == [
        "hé", [104, 195, 169], "text/plain", "file:///x", "resource",
    ]  # fmt: skip


async def test_display_shows_values_tables_and_images_in_order(lab: Lab) -> None:
    result = await lab.run("""
        display({"a": 1})
        display([{"x": 1, "y": "a|b"}, {"x": 2}], "table")
        display(b"\\x89PNG\\r\\n\\x1a\\nrest")
        display(b"data", "application/pdf")
        display({1})
        "end"
    """)
    assert result.failure is None, result.failure
    table = "| x | y |\n| --- | --- |\n| 1 | a\\|b |\n| 2 |  |"
    assert shown(result) == ['{"a": 1}', table, "image/png", "application/pdf", "{1}"]


async def test_display_of_bytes_without_their_type_says_what_is_missing(lab: Lab) -> None:
    assert "display(bytes) needs a media type: display(data, 'image/png')" in await lab.error("display(b'?')")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "byte order mark"])
async def test_a_program_may_come_as_an_editor_of_any_system_wrote_it(lab: Lab, mark: str, end: str) -> None:
    program = mark + end.join(["n = 0", "for i in range(3):", "    n += i", '[n, """a', 'b"""]', ""])

    assert await lab.value(program) == [3, "a\nb"]


async def test_a_byte_order_mark_does_not_move_the_line_of_an_error(lab: Lab) -> None:
    failure = (await lab.run("\ufeff1\r\n1 / 0\r\n")).failure

    assert failure is not None
    assert "line 2" in failure.message
    assert "1 / 0\n" in failure.message
    assert "\ufeff" not in failure.message


async def test_only_one_byte_order_mark_is_skipped(lab: Lab) -> None:
    failure = (await lab.run("\ufeff\ufeff1")).failure

    assert failure is not None
    assert "invalid non-printable character U+FEFF" in failure.message
