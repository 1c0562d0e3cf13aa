"""Reads objects from a running ``git cat-file --batch``, and believes only what matches its name."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import IO

from git_tasks_env.server.objects import MalformedObjectError, object_name

_NAME = re.compile(r"[0-9a-f]{40}\Z")
_MAX_BYTES = 16 << 20
_CACHED = 4096
_MAX_CACHED_BYTES = 1 << 16


class ObjectProcess:
    """Reads through the pipes of one process. Thread-safe.

    An object whose content does not hash to its name is refused, so that whoever could write to the
    repository can keep objects back, but not change them.

    Args:
        requests: Standard input of ``git cat-file --batch``.
        replies: Its standard output.
        max_objects: How many objects may be asked for; None for any number.
    """

    def __init__(self, requests: IO[bytes], replies: IO[bytes], max_objects: int | None = None) -> None:
        self._requests = requests
        self._replies = replies
        self._left = max_objects
        self._lock = Lock()
        self._broken = False
        self._cache: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def read(self, name: str) -> tuple[str, bytes]:
        """See `git_tasks_env.server.objects.ObjectReader`."""
        with self._lock:
            found = self._cache.get(name)
            if found is not None:
                self._cache.move_to_end(name)
                return found
            found = self._ask(name)
            if len(found[1]) <= _MAX_CACHED_BYTES:
                self._cache[name] = found
                if len(self._cache) > _CACHED:
                    self._cache.popitem(last=False)
            return found

    def _ask(self, name: str) -> tuple[str, bytes]:
        if not _NAME.match(name):
            raise MalformedObjectError(f"{name!r} is no object's name")
        if self._broken:
            raise MalformedObjectError("git ended while objects were read")
        if self._left is not None:
            if not self._left:
                raise MalformedObjectError("the history is too long to be read")
            self._left -= 1
        self._broken = True  # until the whole reply has come
        try:
            self._requests.write(name.encode() + b"\n")
            self._requests.flush()
            head = self._replies.readline(200).split()
        except OSError as error:
            raise MalformedObjectError(f"git ended while objects were read: {error}") from None
        if head[1:] == [b"missing"]:
            self._broken = False
            raise MalformedObjectError(f"there is no object {name}")
        if len(head) != 3 or int(head[2]) > _MAX_BYTES:
            raise MalformedObjectError(f"the object {name} is too large, or cannot be read")
        kind, size = head[1].decode(), int(head[2])
        data = self._replies.read(size + 1)[:-1]
        if object_name(kind, data) != name:
            raise MalformedObjectError(f"the object {name} was tampered with")
        self._broken = False
        return kind, data
