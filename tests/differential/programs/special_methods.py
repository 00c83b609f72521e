class V:
    def __init__(self, *v): self.v = list(v)
    def __repr__(self): return f"V{tuple(self.v)}"
    def __add__(self, o): return V(*(a + b for a, b in zip(self.v, o.v)))
    def __mul__(self, k): return V(*(a * k for a in self.v))
    __rmul__ = __mul__
    def __eq__(self, o): return isinstance(o, V) and self.v == o.v
    def __hash__(self): return hash(tuple(self.v))
    def __len__(self): return len(self.v)
    def __getitem__(self, i): return self.v[i]
    def __setitem__(self, i, x): self.v[i] = x
    def __contains__(self, x): return x in self.v
    def __bool__(self): return any(self.v)
    def __call__(self, x): return x * 2
    def __neg__(self): return self * -1
    def __iadd__(self, o): self.v = [a + b for a, b in zip(self.v, o.v)]; return self
    def __format__(self, spec): return f"<{spec}>"
    def __getattr__(self, n): return n.upper()
    def __matmul__(self, o): return sum(a * b for a, b in zip(self.v, o.v))
a = V(1, 2); b = a; b += V(1, 1)
print(a, a + V(1, 1), 2 * a, a == V(2, 3), len({a, V(2, 3)}), a[0], a[::-1], 3 in a, bool(V(0)), a(4), -a, f"{a:spec}", a.missing, a @ V(1, 1), list(a))
print(NotImplemented is (1).__add__("a"), (5).__rsub__(1))
