import xml.etree.ElementTree as ET
from email.utils import parsedate_to_datetime
rss = "<rss><channel><item><title>A &amp; B</title><pubDate>Mon, 01 Jan 2024 10:00:00 GMT</pubDate><category>x</category><category>y</category></item><item><title>C</title><pubDate>Sun, 31 Dec 2023 23:59:59 +0100</pubDate></item></channel></rss>"
for i in sorted(ET.fromstring(rss).iter("item"), key=lambda i: parsedate_to_datetime(i.findtext("pubDate"))): print(i.findtext("title"), parsedate_to_datetime(i.findtext("pubDate")).isoformat(), [c.text for c in i.findall("category")])
