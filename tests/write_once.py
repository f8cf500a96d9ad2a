"""A file system in which a file is created, written from its beginning to its end, read, listed and deleted.

``python -m tests.write_once MOUNT BACKING`` mounts one over a folder, as /Volumes of Databricks is one: everything else
is refused, and is noted in ``refused.txt`` beside the backing folder.
"""

# ruff: noqa: ARG002 - as FUSE calls them
import errno
import fcntl
import os
import stat
import sys
from pathlib import Path

import mfusepy


def refused(what):
    return lambda self, path, *_: self.refuse(what, path)


class WriteOnce(mfusepy.Operations):
    """The operations."""

    use_ns = True

    def __init__(self, backing, notes):
        self.backing = backing
        self.notes = notes
        self.written = {}  # of a file that is being written, by its handle: how much

    def refuse(self, what, path, why=errno.ENOSYS):
        with self.notes.open("a") as notes:
            notes.write(f"{what} {path}\n")
        raise mfusepy.FuseOSError(why)

    def of(self, path):
        return self.backing / path.lstrip("/")

    @mfusepy.overrides(mfusepy.Operations)
    def getattr(self, path, fh=None):
        try:
            found = os.lstat(self.of(path))
        except FileNotFoundError as missing:
            raise mfusepy.FuseOSError(errno.ENOENT) from missing
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        return {name: getattr(found, name) for name in names}

    @mfusepy.overrides(mfusepy.Operations)
    def readdir(self, path, fh):
        return [".", "..", *(entry.name for entry in self.of(path).iterdir())]

    @mfusepy.overrides(mfusepy.Operations)
    def mkdir(self, path, mode):
        self.of(path).mkdir(mode)
        return 0

    @mfusepy.overrides(mfusepy.Operations)
    def rmdir(self, path):
        self.of(path).rmdir()
        return 0

    @mfusepy.overrides(mfusepy.Operations)
    def unlink(self, path):
        self.of(path).unlink()
        return 0

    @mfusepy.overrides(mfusepy.Operations)
    def create(self, path, mode, fi=None):
        handle = os.open(self.of(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, stat.S_IMODE(mode))
        self.written[handle] = 0
        return handle

    @mfusepy.overrides(mfusepy.Operations)
    def open(self, path, flags):
        if flags & (os.O_WRONLY | os.O_RDWR):
            self.refuse("open for writing", path, errno.EPERM)
        return os.open(self.of(path), os.O_RDONLY)

    @mfusepy.overrides(mfusepy.Operations)
    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    @mfusepy.overrides(mfusepy.Operations)
    def write(self, path, data, offset, fh):
        if self.written.get(fh) != offset:
            self.refuse("write elsewhere", path, errno.ESPIPE)
        self.written[fh] += len(data)
        return os.pwrite(fh, data, offset)

    @mfusepy.overrides(mfusepy.Operations)
    def fsync(self, path, datasync, fh):
        os.fsync(fh)
        return 0

    @mfusepy.overrides(mfusepy.Operations)
    def release(self, path, fh):
        self.written.pop(fh, None)
        os.close(fh)
        return 0

    chmod, chown, utimens = refused("chmod"), refused("chown"), refused("utimens")
    rename, link, symlink, mknod = refused("rename"), refused("link"), refused("symlink"), refused("mknod")
    truncate = refused("truncate")

    def lock(self, path, fh, cmd, lock):
        if lock.contents.l_type != fcntl.F_UNLCK:  # the kernel gives up locks of every file that it closes
            self.refuse("lock", path, errno.EOPNOTSUPP)
        return 0


def main():
    """Serve until it is unmounted."""
    mount, backing = map(Path, sys.argv[1:])
    operations = WriteOnce(backing, backing.parent / "refused.txt")
    mfusepy.FUSE(operations, str(mount), foreground=True, nothreads=True, use_ino=False)


if __name__ == "__main__":
    main()
