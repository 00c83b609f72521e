import weakref, gc
class A:
    def __init__(self, n): self.n = n
    def __repr__(self): return f"A({self.n})"
a = A(1); r = weakref.ref(a, lambda r: print("gone")); print(r() is a); del a; gc.collect(); print(r())
d = weakref.WeakValueDictionary(); b = A(2); d["b"] = b; print(list(d.items())); del b; gc.collect(); print(len(d))
c = A(3); f = weakref.finalize(c, print, "finalized"); print(f.alive); del c; gc.collect(); print(f.alive)
k = weakref.WeakKeyDictionary(); x = A(4); k[x] = 1; print(len(k)); s = weakref.WeakSet([x]); print(x in s); p = weakref.proxy(x); print(p.n); del x; gc.collect(); print(len(k), len(s))
try: p.n
except ReferenceError: print("dead")
try: weakref.ref(5)
except TypeError as e: print("no weak reference to int")
