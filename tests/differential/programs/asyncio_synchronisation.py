import asyncio
async def producer(q):
    for i in range(3): await q.put(i)
    await q.put(None)
async def consumer(q):
    while (x := await q.get()) is not None: print("got", x)
async def main():
    q = asyncio.Queue(1); await asyncio.gather(producer(q), consumer(q))
    lock, order = asyncio.Lock(), []
    async def locked(n):
        async with lock: order.append(n); await asyncio.sleep(0); order.append(n)
    await asyncio.gather(locked(1), locked(2)); print(order)
    ev = asyncio.Event(); asyncio.get_running_loop().call_later(0.001, ev.set); print(await ev.wait())
    sem, seen = asyncio.Semaphore(2), []
    async def limited(i):
        async with sem: seen.append(sem.locked()); await asyncio.sleep(0)
    await asyncio.gather(*map(limited, range(4))); print(any(seen)); cond = asyncio.Condition()
    async def waiter():
        async with cond: await cond.wait(); print("notified")
    t = asyncio.create_task(waiter()); await asyncio.sleep(0)
    async with cond: cond.notify()
    await t; p = asyncio.PriorityQueue(); [p.put_nowait(x) for x in (2, 1)]; print(p.get_nowait(), p.qsize()); b = asyncio.Barrier(2); await asyncio.gather(b.wait(), b.wait()); print(b.n_waiting)
asyncio.run(main())
