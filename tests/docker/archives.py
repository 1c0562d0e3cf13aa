"""Archives in memory."""

from __future__ import annotations

import io
import tarfile


def tarball(files: dict[str, bytes]) -> bytes:
    """A tar archive of these files, which are executable."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()
