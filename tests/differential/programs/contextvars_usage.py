import contextvars, asyncio
v = contextvars.ContextVar("v", default=0)
t = v.set(5); print(v.get()); v.reset(t); print(v.get())
c = contextvars.copy_context(); c.run(v.set, 9); print(c[v], v.get())
async def child(n): v.set(n); await asyncio.sleep(0); return v.get()
async def main(): print(await asyncio.gather(child(1), child(2)), v.get())
asyncio.run(main())
