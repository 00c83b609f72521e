import importlib, importlib.util, sys
m = importlib.import_module("json.decoder"); print(m.__name__, importlib.util.find_spec("no_such_module_x") is None, importlib.reload(importlib.import_module("colorsys")).__name__, "json" in sys.modules)
spec = importlib.util.spec_from_loader("made", loader=None); mod = importlib.util.module_from_spec(spec); exec("def f(): return 'made'", mod.__dict__); sys.modules["made"] = mod
import made; print(made.f()); from made import f as g; print(g())
try: from json import nothing_here
except ImportError as e: print(e.name)
try: import no_such_module_y
except ModuleNotFoundError as e: print(e.name)
