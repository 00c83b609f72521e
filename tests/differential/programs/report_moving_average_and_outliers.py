import statistics
d = [10, 12, 11, 13, 50, 12, 11]
print([round(statistics.mean(d[max(0, i - 2):i + 1]), 2) for i in range(len(d))]); m, s = statistics.mean(d), statistics.stdev(d); print([x for x in d if abs(x - m) > 2 * s], round(m, 3), round(s, 3))
