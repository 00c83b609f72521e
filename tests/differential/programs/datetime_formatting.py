from datetime import datetime, date, time, timezone, timedelta
d = datetime(2024, 3, 5, 14, 7, 9, 123456, tzinfo=timezone.utc)
print(d.isoformat(), d.isoformat(" ", "minutes"), d.strftime("%Y-%m-%d %H:%M:%S.%f %a %b %j %p %z %%"))
print(f"{d:%d/%m/%y}", d.ctime(), repr(date(2024, 1, 2)), time(1, 2, 3).isoformat(), str(timedelta(days=2, hours=3)))
print(datetime.strptime("05 Mar 2024 02:30 PM", "%d %b %Y %I:%M %p"), datetime.strptime("2024-W10-1", "%G-W%V-%u"))
try:
    datetime.strptime("x", "%Y")
except ValueError as e:
    print(e)
