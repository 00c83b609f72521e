from email.message import EmailMessage
from email import message_from_string, policy
import email.utils, email.header
m = EmailMessage()
m["Subject"] = "Grüße"; m["From"] = "A <a@x.org>"; m["To"] = "b@y.org, C <c@z.org>"
m.set_content("Hello\nWörld\n")
m.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="f.bin")
p = message_from_string(m.as_string(), policy=policy.default)
print(p["subject"], p["to"].addresses[1].addr_spec, p.is_multipart(), [x.get_content_type() for x in p.walk()], p.get_body().get_content(), [a.get_filename() for a in p.iter_attachments()])
print(email.utils.parseaddr("Ann <a@b.c>"), email.utils.formataddr(("Ü", "a@b.c")), email.utils.parsedate_to_datetime("Mon, 20 Nov 1995 19:12:08 -0500"), email.header.decode_header("=?utf-8?q?=C3=A9?="))
