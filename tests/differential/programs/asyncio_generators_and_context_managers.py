import asyncio, contextlib
async def numbers(n):
    try:
        for i in range(n): yield i; await asyncio.sleep(0)
    finally: print("closed")
@contextlib.asynccontextmanager
async def res(): print("enter"); yield 7; print("exit")
class It:
    def __init__(self): self.n = 0
    def __aiter__(self): return self
    async def __anext__(self):
        self.n += 1
        if self.n > 2: raise StopAsyncIteration
        return self.n
async def main():
    print([x async for x in numbers(3) if x], {x: 1 async for x in It()})
    async with res() as r: print(r)
    g = numbers(5); print(await anext(g)); await g.aclose(); print(await anext(numbers(0), "none"))
    async with contextlib.AsyncExitStack() as s: await s.enter_async_context(res()); s.push_async_callback(asyncio.sleep, 0)
    print(await asyncio.to_thread(sum, [1, 2, 3])); f = asyncio.get_running_loop().create_future(); f.set_result("f"); print(await f)
    async for c in aiter(It()): print("it", c)
asyncio.run(main())
