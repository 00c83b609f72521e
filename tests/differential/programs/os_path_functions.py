import os.path as p, posixpath, ntpath
print(p.join("a", "/b", "c"), p.split("/a/b.c"), p.splitext("x.tar.gz"), p.basename("/a/b/"), p.dirname("/a/b"), p.normpath("a/../b//c/."), p.commonpath(["/a/b", "/a/c"]), p.commonprefix(["abc", "abd"]), p.isabs("/x"), p.relpath("/a/b", "/a/c"), p.splitdrive("C:/x"))
print(ntpath.splitdrive(r"C:\x"), ntpath.join("a", "b"), ntpath.normpath("a/b/../c"), posixpath.expanduser("x"), p.exists("/no/such/file/at/all"), p.isfile("/no/such"), ntpath.basename(r"a\b"))
