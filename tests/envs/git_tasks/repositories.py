"""Repositories that tasks are made from in tests: an ordinary one, an odd one, a tiny one, an empty one."""

from __future__ import annotations

import random
from pathlib import Path

from tests.envs.git.checkouts import git

_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda")
_ODD_NAMES = (
    "-dash.txt",
    "naïve 文件 😀.txt",
    'quote".txt',
    "tab\tnew\nline.txt",
    ":(top)magic",
    "st*r[1].txt",
)


def make_all(folder: Path) -> dict[str, Path]:
    """Make every repository below a folder; by name."""
    makers = {"ordinary": make_ordinary, "odd": make_odd, "tiny": make_tiny, "empty": make_empty}
    for name, make in makers.items():
        make(folder / name)
    return {name: folder / name for name in makers}


def make_ordinary(path: Path, commits: int = 30) -> None:
    """Text files with a history of edits, merges, renames and binary files."""
    rng = random.Random(1)
    git("init", "--quiet", "--initial-branch=main", path)
    files = {f"src/module_{number}.py": _program(rng, number) for number in range(8)}
    for number in range(commits):
        name = rng.choice(sorted(files))
        lines = files[name].split("\n")
        lines.insert(rng.randrange(1, len(lines)), f"# note {number}: {' '.join(rng.choices(_WORDS, k=4))}")
        files[name] = "\n".join(lines)
        if number == 10:
            files["src/renamed.py"] = files.pop(sorted(files)[0])
            git("rm", "--quiet", "-r", "--cached", "--ignore-unmatch", "src", cwd=path)
        for file, text in files.items():
            _write(path / file, text.encode())
        _write(path / "assets" / f"image{number % 3}.bin", rng.randbytes(300))
        git("add", "-A", cwd=path)
        git("commit", "--quiet", f"--message=Change {name} ({number})", cwd=path)
        if number % 8 == 4:
            git("branch", "--quiet", "side", "HEAD~1", cwd=path)
            git("checkout", "--quiet", "side", cwd=path)
            _write(path / f"docs/page{number}.md", f"# Page {number}\n".encode())
            git("add", "-A", cwd=path)
            git("commit", "--quiet", f"--message=Write page {number}", cwd=path)
            git("checkout", "--quiet", "main", cwd=path)
            git("merge", "--quiet", "--no-edit", "side", cwd=path)
            git("branch", "--quiet", "-d", "side", cwd=path)
    git("tag", "v1.0", "HEAD~3", cwd=path)


def make_odd(path: Path) -> None:
    """What gets in the way: attributes, ignored files, links, names, a submodule, empty commits."""
    rng = random.Random(2)
    git("init", "--quiet", "--initial-branch=trunk/with-slash", path)
    attributes = "* text=auto eol=crlf filter=lfs ident\n*.txt merge=union\n*.py -diff -merge\n*.md binary\n"
    _write(path / ".gitattributes", attributes.encode())
    _write(path / "text.txt", _program(rng, 1).encode())
    _write(path / "program.py", _program(rng, 2).encode())
    _write(path / "notes.md", _program(rng, 3).encode())
    _write(path / "crlf.txt", _program(rng, 4).replace("\n", "\r\n").encode())
    _write(path / "latin.txt", "Grüße\n".encode("latin-1") * 40)
    _write(path / "no-end.txt", _program(rng, 5).rstrip("\n").encode())
    _write(path / "repeated.txt", b"same\n" * 60)
    for name in (
        "-dash.txt",
        "naïve 文件 😀.txt",
        'quote".txt',
        "tab\tnew\nline.txt",
        ":(top)magic",
        "st*r[1].txt",
    ):
        _write(path / name, _program(rng, 6).encode())
    _write(path / "notes", b"a file of a name that tasks like\n")
    _write(path / "answer", b"a file of the name of an answer\n")
    (path / "link").symlink_to("text.txt")
    (path / "dangling").symlink_to("/nonexistent")
    (path / "program.py").chmod(0o755)
    git("-c", "core.autocrlf=false", "add", "-A", cwd=path)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub/module", cwd=path)
    git("commit", "--quiet", "--message=Everything odd", cwd=path)
    _write(path / ".gitignore", b"*\n")
    git("add", "--force", ".gitignore", cwd=path)
    git("commit", "--quiet", "--message=Ignore everything", cwd=path)
    for number in range(4):
        git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message=", cwd=path)
        git("tag", ("main", "trunk", "answer-2", "v1")[number], cwd=path)
    git("checkout", "--quiet", "--orphan", "other", cwd=path)
    git("commit", "--quiet", "--message=Another root", cwd=path)
    git("checkout", "--quiet", "--force", "trunk/with-slash", cwd=path)
    git("merge", "--quiet", "--no-edit", "--allow-unrelated-histories", "--strategy=ours", "other", cwd=path)


def make_tiny(path: Path) -> None:
    """One commit of one file."""
    git("init", "--quiet", "--initial-branch=master", path)
    _write(path / "README", b"hello\n")
    git("add", "-A", cwd=path)
    git("commit", "--quiet", "--message=Begin", cwd=path)


def make_empty(path: Path) -> None:
    """No commit at all."""
    git("init", "--quiet", "--bare", "--initial-branch=main", path)


def _program(rng: random.Random, number: int) -> str:
    lines = [f'"""Module {number}."""', ""]
    for function in range(12):
        name = "_".join(rng.choices(_WORDS, k=2))
        lines += [f"def {name}_{function}(value):", f"    return value * {rng.randrange(1000)}", "", ""]
    return "\n".join(lines) + "\n"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
