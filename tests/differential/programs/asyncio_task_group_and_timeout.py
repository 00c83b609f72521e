import asyncio
async def step(n):
    try: await asyncio.sleep(n / 100); return n
    except asyncio.CancelledError: print("stopped", n); raise
async def fail(): await asyncio.sleep(0.001); raise KeyError("k")
async def main():
    async with asyncio.TaskGroup() as tg: a = tg.create_task(step(1)); b = tg.create_task(step(0))
    print(a.result(), b.result())
    try:
        async with asyncio.TaskGroup() as tg: tg.create_task(step(500)); tg.create_task(fail())
    except* KeyError as g: print([repr(e) for e in g.exceptions])
    try:
        async with asyncio.timeout(0.01): await asyncio.sleep(5)
    except TimeoutError: print("timed out")
    async with asyncio.timeout(None) as t: t.reschedule(None); print(t.expired())
    done, pending = await asyncio.wait([asyncio.ensure_future(step(0)), asyncio.ensure_future(step(300))], return_when=asyncio.FIRST_COMPLETED)
    print(len(done), len(pending)); [p.cancel() for p in pending]; await asyncio.gather(*pending, return_exceptions=True)
asyncio.run(main())
