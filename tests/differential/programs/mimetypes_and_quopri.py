import mimetypes, quopri, email.mime.text, email.mime.multipart
print(mimetypes.guess_type("a.html"), mimetypes.guess_type("x.tar.gz"), mimetypes.guess_extension("text/plain"), mimetypes.guess_type("noext"), quopri.encodestring("é=x".encode()), quopri.decodestring(b"=C3=A9"))
m = email.mime.multipart.MIMEMultipart("alternative", boundary="B"); m.attach(email.mime.text.MIMEText("hi")); m["Subject"] = "s"; print(m.as_string())
