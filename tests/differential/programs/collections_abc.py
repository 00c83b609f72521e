from collections.abc import *
class Seq(Sequence):
    def __len__(self): return 3
    def __getitem__(self, i):
        if i >= 3: raise IndexError
        return i * 10
s = Seq()
print(list(s), 20 in s, s.index(10), s.count(20), list(reversed(s)), isinstance(s, Iterable), isinstance({}, Mapping))
class M(MutableMapping):
    def __init__(self): self.d = {}
    def __getitem__(self, k): return self.d[k]
    def __setitem__(self, k, v): self.d[k] = v
    def __delitem__(self, k): del self.d[k]
    def __iter__(self): return iter(self.d)
    def __len__(self): return len(self.d)
m = M(); m.update(a=1, b=2); print(m.pop("a"), m.setdefault("c", 3), dict(m), list(m.items()), m == {"b": 2, "c": 3})
print(isinstance(len, Callable), issubclass(int, Hashable), isinstance([], Hashable))
