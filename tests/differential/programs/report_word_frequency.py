import re, collections
text = "The cat and the dog. The DOG barks; the cat doesn't!"
words = re.findall(r"[a-z']+", text.lower())
for w, n in sorted(collections.Counter(words).items(), key=lambda i: (-i[1], i[0])): print(f"{w}: {'#' * n}")
