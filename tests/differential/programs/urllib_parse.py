from urllib.parse import *
u = urlparse("https://user:pw@Example.com:8080/a/b;p?q=1&r=a%20b&q=2#frag")
print(u, u.hostname, u.port, u.username, parse_qs(u.query), parse_qsl("a=1&b=&c"), u._replace(path="/z").geturl())
print(urlencode({"a": "x y", "b": [1, 2]}, doseq=True), quote("a/b c?é"), quote_plus("a b&"), unquote("%C3%A9+"), unquote_plus("a+b"))
for rel in ["../x", "y", "/z", "?q=1", "//h/p", "http://o/", "./../../w", "#f"]:
    print(urljoin("http://a/b/c/d", rel))
print(urlsplit("http://[::1]:80/x").hostname, urlunsplit(("http", "h", "/p", "q", "")), urldefrag("http://x/#a"))
