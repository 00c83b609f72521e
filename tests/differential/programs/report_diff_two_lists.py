old = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"}]; new = [{"id": 2, "v": "B"}, {"id": 3, "v": "c"}, {"id": 4, "v": "d"}]
o, n = {r["id"]: r for r in old}, {r["id"]: r for r in new}
print("added", sorted(n.keys() - o.keys())); print("removed", sorted(o.keys() - n.keys())); print("changed", [(k, o[k]["v"], n[k]["v"]) for k in sorted(o.keys() & n.keys()) if o[k] != n[k]])
