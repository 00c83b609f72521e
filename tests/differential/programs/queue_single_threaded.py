import queue
q = queue.Queue(maxsize=2); q.put(1); q.put_nowait(2)
try: q.put_nowait(3)
except queue.Full: print("full")
print(q.get(), q.qsize(), q.get(), q.empty())
try: q.get(timeout=0.01)
except queue.Empty: print("empty")
p = queue.PriorityQueue(); [p.put(x) for x in (3, 1, 2)]; print([p.get() for _ in range(3)])
l = queue.LifoQueue(); l.put("a"); l.put("b"); print(l.get()); q.task_done(); q.task_done(); q.join(); s = queue.SimpleQueue(); s.put(5); print(s.get(), s.empty())
