"""The files bridge: folders of this machine, and folders in memory, as the guest's file system.

mounts     what the operator lists, checked                       pure but for the check
paths      what a guest calls a file                              pure
beneath    from a folder's descriptor to one below it             never further
folder     files in a folder of this machine                      `port.Folder`
memory     files in memory, gone with the run                     `port.Folder`
quota      how much there may be under a mount
session    one run's open files, and every operation              blocking, on a thread of its own
bridge     lends a session to a run
"""
