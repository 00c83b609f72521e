"""The mounted folders as the program's file system."""
