import plistlib, datetime, io
d = {"a": 1, "b": [True, 2.5, "x"], "c": b"\x00", "d": datetime.datetime(2024, 1, 2)}
x = plistlib.dumps(d); print(x.decode().count("<key>"), plistlib.loads(x) == d, plistlib.loads(plistlib.dumps(d, fmt=plistlib.FMT_BINARY)) == d)
