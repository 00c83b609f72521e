import collections, heapq
g = {"a": {"b": 1, "c": 4}, "b": {"c": 2, "d": 6}, "c": {"d": 3}, "d": {}}
dist, h = {}, [(0, "a")]
while h:
    d, n = heapq.heappop(h)
    if n in dist: continue
    dist[n] = d
    for m, w in g[n].items(): heapq.heappush(h, (d + w, m))
print(dist); seen, q, order = {"a"}, collections.deque("a"), []
while q:
    n = q.popleft(); order.append(n)
    for m in g[n]:
        if m not in seen: seen.add(m); q.append(m)
print(order)
