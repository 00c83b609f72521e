import xml.etree.ElementTree as ET
root = ET.fromstring('<r xmlns:n="urn:x"><a k="1">t<b/>tail</a><a k="2"/><n:c>ü</n:c></r>')
print(root.tag, [(e.tag, e.get("k")) for e in root], root.find("a/b").tail, root.findtext("a"), root.findall(".//a[@k='2']")[0].attrib)
e = ET.SubElement(root, "new", {"x": "<&>"}); e.text = "é"
print(ET.tostring(root, encoding="unicode"))
ET.indent(root); print(ET.tostring(root, encoding="unicode"))
print([e.tag for e in root.iter()], ET.tostring(ET.Element("q"), encoding="utf-8"))
try:
    ET.fromstring("<a><b></a>")
except ET.ParseError as e:
    print(e.position, e.code)
for event, el in ET.iterparse(__import__("io").BytesIO(b"<a><b>1</b></a>"), events=("start", "end")):
    print(event, el.tag)
