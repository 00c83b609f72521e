import asyncio
async def f(n): await asyncio.sleep(n / 4); return n
async def main():
    for c in asyncio.as_completed([f(3), f(1), f(2)]): print(await c)
    inner = asyncio.ensure_future(f(1)); outer = asyncio.shield(inner)
    outer.cancel()
    try: await outer
    except asyncio.CancelledError: print("outer cancelled")
    print(await inner, asyncio.current_task().get_name() == "main task")
    loop = asyncio.get_running_loop(); calls = []; h = loop.call_soon(calls.append, 1); loop.call_soon(calls.append, 2); h.cancel(); await asyncio.sleep(0); print(calls)
    t = asyncio.create_task(f(0), name="nm"); t.add_done_callback(lambda t: print("callback", t.get_name(), t.result())); await t; await asyncio.sleep(0)
    print(await asyncio.wait_for(f(0), None)); e = asyncio.create_task(f(900)); e.cancel("why")
    try: await e
    except asyncio.CancelledError as x: print(x.args)
with asyncio.Runner() as r: r.run(main()); print(r.run(f(0)))
