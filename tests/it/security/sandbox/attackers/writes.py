# Opens every file below /proc and /sys that is meant to be written to, those of processes aside, and tells of those that could
# be. Of the others the kernel takes nothing, though root may open them.
import os
import stat

for top in ("/proc", "/sys"):
    for folder, folders, files in os.walk(top):
        if folder == "/proc":
            folders[:] = [name for name in folders if not name.isdigit()]
        for name in files:
            path = os.path.join(folder, name)
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            if not stat.S_ISREG(mode) or not mode & 0o222:
                continue
            for flags in (os.O_WRONLY, os.O_RDWR):
                try:
                    os.close(os.open(path, flags | os.O_NONBLOCK))
                    print(path)
                    break
                except OSError:
                    pass
        try:
            os.mkdir(os.path.join(folder, "x"))
            print("made", folder)
        except OSError:
            pass
print("walked")
