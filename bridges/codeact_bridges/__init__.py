"""The sandbox, the guest runtime, and the bridges that give the guest its capabilities.

This module imports nothing: worker processes load the package too, and must stay small.
"""
