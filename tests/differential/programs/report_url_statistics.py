from urllib.parse import urlsplit, parse_qs
from collections import Counter
urls = ["https://a.com/x?utm=1", "http://b.org/y/z", "https://a.com/q?id=5&id=6", "ftp://c.net:21/f"]
print(Counter(urlsplit(u).netloc for u in urls).most_common(), [parse_qs(urlsplit(u).query) for u in urls], sorted({urlsplit(u).scheme for u in urls}))
