"""The sandbox, the guest runtime, and the bridges that lend the guest its powers.

Imports nothing by itself: a worker process loads this package too, and must stay small.
"""
