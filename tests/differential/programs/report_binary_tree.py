class N:
    def __init__(self, v): self.v, self.l, self.r = v, None, None
    def add(self, v):
        side = "l" if v < self.v else "r"
        if getattr(self, side): getattr(self, side).add(v)
        else: setattr(self, side, N(v))
        return self
    def __iter__(self):
        if self.l: yield from self.l
        yield self.v
        if self.r: yield from self.r
    def depth(self): return 1 + max(self.l.depth() if self.l else 0, self.r.depth() if self.r else 0)
t = N(5); [t.add(v) for v in (3, 8, 1, 4, 9)]; print(list(t), t.depth(), sum(t), 4 in t)
