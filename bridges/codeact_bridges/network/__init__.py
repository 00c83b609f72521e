"""HTTP for the guest: the rules an operator writes, and requests that go exactly where they allow."""
