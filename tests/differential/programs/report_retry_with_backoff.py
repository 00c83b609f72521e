import functools
def retry(times, errors=(ValueError,)):
    def deco(f):
        @functools.wraps(f)
        def inner(*a, **k):
            for i in range(1, times + 1):
                try: return f(*a, **k)
                except errors as e:
                    print("attempt", i, e)
                    if i == times: raise
        return inner
    return deco
n = iter([1, 2, 0, 0])
@retry(3)
def work():
    "does work"
    if next(n): raise ValueError("not yet")
    return "ok"
print(work(), work.__doc__, work.__name__)
