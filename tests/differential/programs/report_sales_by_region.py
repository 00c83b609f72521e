import csv, io, collections, statistics
rows = list(csv.DictReader(io.StringIO("region,month,amount\nnorth,1,10.5\nsouth,1,20\nnorth,2,30.25\nsouth,2,5\neast,1,7\n")))
by = collections.defaultdict(list)
for r in rows: by[r["region"]].append(float(r["amount"]))
for region in sorted(by): print(f"{region:<6}|{sum(by[region]):>8.2f}|{statistics.mean(by[region]):>8.3f}|{len(by[region])}")
print(max(by, key=lambda k: sum(by[k])), round(sum(map(sum, by.values())), 2))
