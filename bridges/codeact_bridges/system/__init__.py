"""Child processes, threads, task groups and private files of this machine."""
