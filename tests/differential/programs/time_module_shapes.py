import time
t = time.gmtime(86400 * 365); print(time.strftime("%Y-%m-%d %H:%M:%S", t), t.tm_yday, time.struct_time(t) == t, time.asctime(t), time.strptime("2024-02-29", "%Y-%m-%d").tm_wday)
a = time.monotonic(); time.sleep(0.001); print(time.monotonic() - a >= 0.001, time.time() > 1.7e9, time.perf_counter_ns() > 0, isinstance(time.time_ns(), int), time.get_clock_info("monotonic").monotonic)
for bad in (-1, float("nan")):
    try: time.sleep(bad)
    except ValueError as e: print("ValueError")
try: time.sleep("x")
except TypeError as e: print("TypeError")
