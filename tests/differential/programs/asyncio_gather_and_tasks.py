import asyncio
async def work(n, delay):
    await asyncio.sleep(delay); print("done", n); return n * 10
async def main():
    print(await asyncio.gather(work(1, 0.5), work(2, 0.01)))
    t = asyncio.create_task(work(3, 0)); print(t.done()); print(await t, t.done(), t.result())
    async def bad(): raise ValueError("x")
    print(await asyncio.gather(bad(), work(4, 0), return_exceptions=True))
    try: await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError: print("timeout")
    t = asyncio.create_task(asyncio.sleep(10)); await asyncio.sleep(0); t.cancel()
    try: await t
    except asyncio.CancelledError: print("cancelled", t.cancelled())
asyncio.run(main())
