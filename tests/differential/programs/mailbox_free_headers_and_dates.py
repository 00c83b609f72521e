from email import policy
from email.parser import BytesParser
import email.utils, datetime
raw = b"From: =?utf-8?q?J=C3=B6rg?= <j@x.de>\r\nSubject: =?utf-8?b?w6TDtg==?=\r\nDate: Tue, 05 Mar 2024 10:00:00 +0100\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
m = BytesParser(policy=policy.default).parsebytes(raw); print(m["from"].addresses[0].display_name, m["subject"], m["date"].datetime.isoformat(), m.get_content(), email.utils.format_datetime(datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)))
