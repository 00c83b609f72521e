"""Engines, the worker process that holds one sandbox, and the pool. Must import nothing: workers load this package."""
