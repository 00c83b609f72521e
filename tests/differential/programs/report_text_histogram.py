data = [3, 7, 1, 9, 4]
for i, v in enumerate(data): print(f"{i}: {'█' * v} {v}")
lo, hi = min(data), max(data); print("".join("▁▂▃▄▅▆▇█"[int((v - lo) / (hi - lo) * 7)] for v in data))
