import sched
now = [0.0]
s = sched.scheduler(lambda: now[0], lambda d: now.__setitem__(0, now[0] + d))
s.enter(5, 1, print, ("five",)); s.enter(1, 2, print, ("one",)); e = s.enter(3, 1, print, ("never",)); s.enterabs(5, 0, print, ("first of five",)); s.cancel(e)
print(len(s.queue)); s.run(); print(now[0], s.empty())
