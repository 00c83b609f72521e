"""What is recorded of runs."""
