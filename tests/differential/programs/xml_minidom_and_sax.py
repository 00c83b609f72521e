import xml.dom.minidom, xml.sax, xml.sax.saxutils
d = xml.dom.minidom.parseString("<a><b c='1'>t</b></a>")
print(d.documentElement.tagName, d.getElementsByTagName("b")[0].getAttribute("c"), d.documentElement.toxml())
class H(xml.sax.ContentHandler):
    def startElement(self, n, a): print("start", n, dict(a))
    def characters(self, c): print(repr(c))
xml.sax.parseString(b"<a x='1'>hi</a>", H())
print(xml.sax.saxutils.escape("<&>"), xml.sax.saxutils.quoteattr('a"b'))
