import pickle, datetime, decimal, collections
class P:
    def __init__(self, x): self.x = x
    def __getstate__(self): return {"x": self.x, "saved": True}
    def __reduce_ex__(self, p): return super().__reduce_ex__(p)
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    p = pickle.loads(pickle.dumps(P([1, 2]), protocol))
    print(p.x, p.saved)
shared = [1]; a, b = pickle.loads(pickle.dumps([shared, shared])); print(a is b)
for v in (datetime.datetime(2024, 1, 2), decimal.Decimal("1.1"), {1, 2}, collections.Counter("aa"), len, 2**100, float("inf"), range(3), slice(1, 2)):
    print(pickle.loads(pickle.dumps(v)) == v)
try: pickle.dumps(lambda: 1)
except (pickle.PicklingError, AttributeError) as e: print("cannot")
loop = []; loop.append(loop); l2 = pickle.loads(pickle.dumps(loop)); print(l2[0] is l2)
