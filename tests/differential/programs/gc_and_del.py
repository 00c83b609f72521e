import gc, sys
class D:
    def __init__(self, n): self.n = n
    def __del__(self): print("del", self.n)
a = D(1); del a; b = D(2); b = None
c = D(3); c.self = c; del c; print("cycle"); gc.collect(); print(gc.isenabled(), gc.is_tracked([]), gc.is_tracked(1))
def f(): x = D(4); return 1
f(); print(sys.getrefcount(object()) >= 1, [D(5)] and "list")
last = D("at exit")
