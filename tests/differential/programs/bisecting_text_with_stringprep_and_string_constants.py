import stringprep, string, textwrap, unicodedata
print(stringprep.in_table_a1("\u0221"), stringprep.map_table_b2("ß"), string.hexdigits, len(string.printable), unicodedata.unidata_version >= "13")
print(textwrap.TextWrapper(width=12, break_long_words=False).wrap("a verylongwordindeed here"), "x".encode("idna"), "münchen.de".encode("idna"))
