import traceback
def a(): b()
def b(): raise ValueError("deep")
try:
    a()
except ValueError as e:
    print([f.name for f in traceback.extract_tb(e.__traceback__)], traceback.format_exception_only(e), [f.lineno for f in traceback.extract_tb(e.__traceback__)])
try:
    try: 1 / 0
    except ZeroDivisionError as e: raise KeyError("k") from e
except KeyError as e:
    te = traceback.TracebackException.from_exception(e)
    print(te.exc_type.__name__ if hasattr(te, "exc_type") else "", type(e.__cause__).__name__, e.__suppress_context__)
try: eval("1 +")
except SyntaxError as e: print(e.lineno, e.text, type(e).__name__)
