import csv
d = csv.Sniffer().sniff("a;b;c\n1;2;3\n4;5;6\n")
print(d.delimiter)
print(csv.Sniffer().has_header("name,age\nann,3\nbob,4\n"))
print(sorted(csv.list_dialects()))
