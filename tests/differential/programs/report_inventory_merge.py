import copy
a = {"x": {"n": 1, "tags": ["a"]}, "y": {"n": 2}}; b = {"x": {"n": 5, "tags": ["b"]}, "z": {"n": 3}}
def merge(p, q):
    r = copy.deepcopy(p)
    for k, v in q.items(): r[k] = merge(r[k], v) if isinstance(v, dict) and isinstance(r.get(k), dict) else r[k] + v if isinstance(v, list) and k in r else v
    return r
print(merge(a, b)); print(a); print({k: (a.get(k), b.get(k)) for k in sorted(a.keys() ^ b.keys())})
