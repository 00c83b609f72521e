import heapq
h = [5, 3, 8, 1]
heapq.heapify(h)
heapq.heappush(h, 2)
print([heapq.heappop(h) for _ in range(5)], heapq.nlargest(2, [3, 9, 1, 7]), heapq.nsmallest(2, "hello", key=ord))
print(list(heapq.merge([1, 4], [2, 3], [0])), heapq.heappushpop([1, 2], 0), heapq.heapreplace([1, 5], 3))
