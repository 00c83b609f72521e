"""Engines, the worker process that holds one sandbox, and the pool. Imports nothing: workers load this package."""
