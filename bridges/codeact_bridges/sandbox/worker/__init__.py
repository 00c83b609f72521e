"""The code that runs inside a worker process. Must import nothing heavy."""
