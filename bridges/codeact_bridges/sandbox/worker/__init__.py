"""What runs inside a worker process. Imports nothing heavy."""
