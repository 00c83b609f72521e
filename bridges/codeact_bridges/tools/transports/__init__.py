"""Streams to a downstream server: stdio, HTTP, SSE."""
