import html
from html.parser import HTMLParser
print(html.escape("<a href='x'>\"&"), html.unescape("&lt;&eacute;&#233;&#xe9;&amp;amp; &nbsp;".strip()), html.escape("'", quote=False))
class P(HTMLParser):
    def handle_starttag(self, tag, attrs): print("start", tag, attrs)
    def handle_endtag(self, tag): print("end", tag)
    def handle_data(self, data): print("data", repr(data))
P().feed("<p class=x>Hi &amp; <b>bye</b></p><br/>")
