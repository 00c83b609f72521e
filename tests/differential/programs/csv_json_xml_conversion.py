import csv, io, json, xml.etree.ElementTree as ET
rows = list(csv.DictReader(io.StringIO("id,name\n1,Ä & B\n2,\"x,y\"\n"))); root = ET.Element("rows")
for r in rows: e = ET.SubElement(root, "row", id=r["id"]); e.text = r["name"]
text = ET.tostring(root, encoding="unicode"); print(text); print(json.dumps([{"id": int(e.get("id")), "name": e.text} for e in ET.fromstring(text)], ensure_ascii=False))
