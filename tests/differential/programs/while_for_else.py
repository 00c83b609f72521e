for i in range(3):
    if i == 5: break
else: print("no break")
while True:
    i -= 1
    if i < 0: break
else: print("never")
for x in []: pass
else: print("empty else")
for n in range(2, 10):
    for d in range(2, n):
        if n % d == 0: break
    else: print(n, "prime")
it = iter(range(5))
for a in it: print(a, next(it, None))
