"""The programs of the one conversation that every client has."""

from real_clients.script import Step

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
"""A PNG."""

TICKS = [f"tick {number:02d}" for number in range(12)]

VALUES = (
    Step("list", "[n * 101 for n in (1, 2, 3)]", (r"101,\s*202,\s*303",)),
    Step("list of lists", "[[n, n * 107] for n in (1, 2)]", (r"1,\s*107", r"2,\s*214")),
    Step("int", "7 * 10101", (r"\b70707\b",)),
    Step("float", "7 / 2 + 100", (r"\b103\.5\b",)),
    Step("str", "'hello ' + 'world 4711'", ("hello world 4711",)),
    Step("bool", "1 < 2", (r"\b[Tt]rue\b",)),
    Step("None", "None", (r"None|null|no value",)),
    Step("dict", "{'key ' + 'one': 7 * 101}", (r"""key one["']:\s*707""",)),
    Step("only printed", "print(42 * 10101)", (r"\b424242\b",)),
    Step(
        "printed, and a value", "print('shown ' + 'first')\n[n * 103 for n in (5, 6)]", ("shown first", r"515,\s*618")
    ),
    Step(
        "a tool's rows",
        "call_tool('orders.list_orders')[:2]",
        (r"Lisbon[\s\S]*9\.99", r"Oslo[\s\S]*19\.99"),
    ),
    Step(
        "a table",
        "print('a table ' + 'comes')\ndisplay(call_tool('orders.list_orders'), 'table')\n7 * 2",
        ("a table comes", "Nairobi", "sprocket", r"\b14\b"),
    ),
)
"""Each kind of result."""

TRACEBACK = Step(
    "a traceback",
    "print('before ' + 'it')\ndef inner():\n    return {}['ab' + 'sent']\ninner()",
    ("before it", "KeyError", "absent", "line 3"),
    fails=True,
)
TOOL_ERROR = Step(
    "a tool's error",
    "call_tool('orders.get_order', order_id=7)",
    ("ToolError", "there is no order 7"),
    fails=True,
)
DENIED = Step(
    "denied",
    "print('before ' + 'the call')\ncall_tool('orders.customer_addresses')",
    ("before the call", r"orders\.customer_addresses"),
    fails=True,
)
PICTURE = Step(
    "a picture",
    f"import base64\ndisplay(base64.b64decode('{PIXEL}'), 'image/png')\n'a picture ' + '4712'",
    ("a picture 4712",),
)
LONG = Step(
    "185 kB printed",
    "for i in range(5000):\n    print('line', f'{i:05d}', 'x' * 25)\n'tail ' + 'value 4713'",
    ("tail value 4713",),
)
SLOW = Step(
    "slow",
    "import time\nfor i in range(12):\n    print('tick', f'{i:02d}')\n    time.sleep(0.5)\n'slow ' + 'value 4714'",
    ("slow value 4714", *TICKS),
)

STEPS = (*VALUES, TRACEBACK, TOOL_ERROR, DENIED, PICTURE, LONG, SLOW)
