"""The repository that an empty host serves: generated, small, and the same to the last hash every time."""

from __future__ import annotations

NAME = "sample-project"
DESCRIPTION = "A small generated project: branches, tags and a merge to practise git on"

_AUTHORS = (
    "Ada Byron <ada@example.com>",
    "Grace Murray <grace@example.com>",
    "Linus Berg <linus@example.com>",
)
_START = 1_704_103_200  # 2024-01-01T10:00:00Z
_HOUR = 3600

_README = "# sample-project\n\nA to-do list for the command line, with a history to explore.\n"
_TODO = '''"""A to-do list kept in a text file."""


class TodoList:
    """Items in the order in which they were added."""

    def __init__(self):
        self.items = []

    def add(self, text):
        self.items.append(text)
'''
_METHODS = {
    "remove": "    def remove(self, text):\n        self.items.remove(text)\n",
    "clear": "    def clear(self):\n        self.items.clear()\n",
    "count": "    def count(self):\n        return len(self.items)\n",
    "first": "    def first(self):\n        return self.items[0] if self.items else None\n",
    "contains": "    def contains(self, text):\n        return text in self.items\n",
    "sort": "    def sort(self):\n        self.items.sort()\n",
    "save": "    def save(self, path):\n        path.write_text('\\n'.join(self.items))\n",
    "load": "    def load(self, path):\n        self.items = path.read_text().splitlines()\n",
}


class _History:
    """Collects a ``git fast-import`` stream, one commit after another, an hour apart."""

    def __init__(self) -> None:
        self._stream: list[str] = []
        self._marks = 0
        self._tips: dict[str, int] = {}

    def commit(self, branch: str, message: str, files: dict[str, str], *, merge: str | None = None) -> None:
        """Add a commit that sets the given files; ``merge`` names a second parent's branch."""
        who = f"{_AUTHORS[self._marks % len(_AUTHORS)]} {_START + self._marks * _HOUR} +0000"
        self._marks += 1
        self._stream += [f"commit refs/heads/{branch}\nmark :{self._marks}\nauthor {who}\ncommitter {who}\n"]
        self._data(message)
        if branch in self._tips:
            self._stream.append(f"from :{self._tips[branch]}\n")
        if merge is not None:
            self._stream.append(f"merge :{self._tips[merge]}\n")
        for path, text in files.items():
            self._stream.append(f"M 100644 inline {path}\n")
            self._data(text)
        self._tips[branch] = self._marks

    def branch(self, name: str, start: str) -> None:
        """Start a branch at another's newest commit."""
        self._tips[name] = self._tips[start]
        self._stream.append(f"reset refs/heads/{name}\nfrom :{self._tips[start]}\n\n")

    def tag(self, name: str, branch: str, message: str) -> None:
        """Put an annotated tag on a branch's newest commit."""
        who = f"{_AUTHORS[0]} {_START + self._marks * _HOUR} +0000"
        self._stream.append(f"tag {name}\nfrom :{self._tips[branch]}\ntagger {who}\n")
        self._data(message)

    def _data(self, text: str) -> None:
        self._stream.append(f"data {len(text.encode())}\n{text}\n")

    def stream(self) -> bytes:
        """Return the whole stream."""
        return "".join(self._stream).encode()


def fast_import_stream() -> bytes:
    """Return the sample repository as input for ``git fast-import``: 30 commits, 4 branches, 3 tags."""
    history = _History()
    history.commit("main", "Start with a README\n", {"README.md": _README})
    history.commit("main", "Add the license\n", {"LICENSE": "Public domain.\n"})
    todo = _TODO
    history.commit("main", "Add TodoList\n", {"src/todo.py": todo})
    tests = "from todo import TodoList\n"
    for name, method in _METHODS.items():
        todo += f"\n{method}"
        history.commit("main", f"Add TodoList.{name}\n", {"src/todo.py": todo})
        tests += f"\n\ndef test_{name}():\n    assert hasattr(TodoList, {name!r})\n"
        history.commit("main", f"Test TodoList.{name}\n", {"tests/test_todo.py": tests})
        if name == "count":
            history.tag("v0.1.0", "main", "First preview\n")
    history.branch("feature/priorities", "main")
    history.branch("release/1.0", "main")
    priorities = '"""Items with a priority."""\n'
    for level in ("low", "normal", "high"):
        priorities += f"\n{level.upper()} = {level!r}\n"
        history.commit("feature/priorities", f"Add the priority {level}\n", {"src/priorities.py": priorities})
    history.commit("main", "Describe the commands\n", {"docs/commands.md": "# Commands\n\nadd, remove\n"})
    history.commit(
        "main",
        "Merge branch 'feature/priorities'\n",
        {"src/priorities.py": priorities},
        merge="feature/priorities",
    )
    history.commit("release/1.0", "Set the version to 1.0.0\n", {"VERSION": "1.0.0\n"})
    history.tag("v1.0.0", "release/1.0", "First release\n")
    history.branch("fix/empty-list", "main")
    history.commit("fix/empty-list", "Test an empty list\n", {"tests/test_empty.py": "import todo\n"})
    for number, item in enumerate(("milk", "bread", "tea"), start=1):
        text = "".join(f"{line}\n" for line in ("milk", "bread", "tea")[:number])
        history.commit("main", f"Add {item} to the example\n", {"examples/shopping.txt": text})
    history.commit("main", "Note the changes since 1.0.0\n", {"CHANGELOG.md": "# Changes\n\n- priorities\n"})
    history.tag("v1.1.0", "main", "Priorities\n")
    return history.stream()
