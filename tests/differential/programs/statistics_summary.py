import statistics as s
data = [2.5, 3.25, 5.5, 11.25, 11.75, 3.25]
print(s.mean(data), s.median(data), s.mode(data), s.pstdev([1, 2, 3, 4]), s.variance([1, 2, 3, 4]))
print(s.quantiles(range(1, 11), n=4), s.median_low([1, 3, 5, 7]), s.median_high([1, 3, 5, 7]), s.multimode("aabbc"))
print(s.fmean([1, 2, 3]), s.geometric_mean([54, 24, 36]), s.harmonic_mean([40, 60]), s.correlation([1, 2, 3], [2, 4, 6]))
print(s.linear_regression([1, 2, 3], [2, 4, 6]), round(s.NormalDist(0, 1).cdf(1.96), 6))
try:
    s.mean([])
except s.StatisticsError as e:
    print(type(e).__name__)
