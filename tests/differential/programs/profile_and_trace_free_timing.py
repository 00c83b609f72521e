import timeit, cProfile, pstats, io
print(timeit.timeit("1+1", number=10) >= 0, len(timeit.repeat("pass", number=1, repeat=2))); p = cProfile.Profile(); p.enable(); sum(range(10)); p.disable(); out = io.StringIO(); pstats.Stats(p, stream=out).print_stats(); print("function calls" in out.getvalue())
