"""The files bridge: folders of this machine and folders in memory, as the guest's file system.

spec, mounts                      the operator's mounts, as written and as checked
paths, requests, encoding         guest's paths, operations' arguments, bytes and stat fields
port, disk_folder, memory_folder  a mount's content: on this machine, or in memory for one run
safe_open, quota                  never outside a folder; never more than allowed in it
mount_table, path_access          a guest's path to its mount; the path's use, checked and recorded
open_files, operations            one run's open files; every operation, blocking, on a thread of its own
bridge                            opens the mounts for a run
access_log, changed_files         for the run's result: accesses, and files created or changed
"""
