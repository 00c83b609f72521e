"""Transports to a downstream server: stdio, HTTP, SSE."""
