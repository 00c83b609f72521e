import csv, io
text = 'name,amount\n"Smith, J",10\n"He said ""hi""",20\n\nplain,30\n'
for row in csv.reader(io.StringIO(text)):
    print(row)
for row in csv.DictReader(io.StringIO(text)):
    print(dict(row))
print(list(csv.reader(["a;b;c", "1;'2;3';4"], delimiter=";", quotechar="'")))
