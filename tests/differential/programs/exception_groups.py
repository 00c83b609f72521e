try: raise ExceptionGroup("g", [ValueError(1), TypeError(2), ExceptionGroup("in", [ValueError(3), KeyError(4)])])
except* ValueError as g: print("values", [e.args for e in g.exceptions if isinstance(e, ValueError)], len(g.exceptions))
except* (TypeError, KeyError) as g: print("others", len(g.exceptions))
eg = ExceptionGroup("e", [OSError(1), ValueError(2)])
a, b = eg.split(OSError); print(a.exceptions, b.exceptions, eg.subgroup(lambda e: isinstance(e, ValueError)), eg.message, eg.derive([KeyError()]))
try:
    try: raise ValueError("plain")
    except* ValueError as g: print(type(g).__name__); raise
except ExceptionGroup as g: print("again", g.exceptions)
try: ExceptionGroup("x", [])
except ValueError as e: print("not empty")
