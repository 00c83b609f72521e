import sys, tracemalloc, io, contextlib
tracemalloc.start(); x = [0] * 1000; print(tracemalloc.get_traced_memory()[0] > 0); tracemalloc.stop(); calls = []
def tr(frame, event, arg): calls.append(event); return tr
def g(): return 1
sys.settrace(tr); g(); sys.settrace(None); print(calls[:3]); print(sys.getsizeof([]) > 0, sys.intern("a") is sys.intern("a"), sys.exc_info() == (None, None, None), callable(sys.excepthook), sys.getrecursionlimit() >= 500)
def r(n): return r(n + 1)
try: r(0)
except RecursionError as e: print(type(e).__name__)
