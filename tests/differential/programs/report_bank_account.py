class Insufficient(Exception):
    def __init__(self, need, have): super().__init__(f"need {need}, have {have}"); self.short = need - have
class Account:
    def __init__(self): self.balance, self.log = 0, []
    def deposit(self, n): self.balance += n; self.log.append(("+", n))
    def withdraw(self, n):
        if n > self.balance: raise Insufficient(n, self.balance)
        self.balance -= n; self.log.append(("-", n))
a = Account(); a.deposit(100); a.withdraw(30)
try: a.withdraw(100)
except Insufficient as e: print(e, e.short)
print(a.balance, a.log)
