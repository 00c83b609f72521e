import unicodedata as u
print(u.name("é"), u.lookup("GREEK SMALL LETTER ALPHA"), u.category("A"), u.category("1"), u.numeric("½"), u.decimal("٣"), u.combining("\u0301"))
print(u.normalize("NFC", "e\u0301") == "é", [hex(ord(c)) for c in u.normalize("NFD", "é")], u.normalize("NFKC", "ﬁ①"), u.east_asian_width("あ"), u.bidirectional("א"), u.mirrored("("))
print("".join(c for c in u.normalize("NFD", "Crème Brûlée") if not u.combining(c)))
