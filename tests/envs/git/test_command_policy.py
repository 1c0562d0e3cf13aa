"""The command policy by itself: what comes out of it is only ever what is listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_env.server.policy.command_grammar import PathChecks, options
from git_env.server.policy.command_policy import parse_command
from git_env.server.policy.command_table import REMOTE_SUBCOMMANDS, SUBCOMMANDS
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import is_git_directory_name, resolve_parts

OPEN = PathChecks(plain=lambda argument: argument, following=lambda argument: argument)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("git status -sb", ["status", "-s", "-b"]),
        ("commit -am 'a b'", ["commit", "-a", "-ma b"]),
        ("commit -m ''", ["commit", "-m", ""]),
        ("commit --message 'a b' --date=x", ["commit", "--message=a b", "--date=x"]),
        ("stash -m x", ["stash", "push", "-mx"]),
        ("stash pop --index", ["stash", "pop", "--index"]),
        ("reflog main", ["reflog", "show", "--no-ext-diff", "--no-textconv", "main"]),
        ("remote -v", ["remote", "-v"]),
        ("grep -n -e --exec -- docs", ["grep", "-n", "-e--exec", "--", "docs"]),
        ("grep 'a b' HEAD", ["grep", "-ea b", "HEAD"]),
        ("grep -e x y", ["grep", "-ex", "y"]),
        ("shortlog -sn", ["shortlog", "-s", "-n", "HEAD"]),
        ("checkout -b x", ["checkout", "-bx"]),
        ("checkout -", ["checkout", "-"]),
        ("rev-list -5 HEAD", ["rev-list", "-5", "HEAD"]),
        ("config --local user.name 'A B'", ["config", "--local", "user.name", "A B"]),
        ("config user.name", ["config", "--local", "--get", "user.name"]),
        ("--version", ["version"]),
    ],
)
def test_the_canonical_form(command: str, argv: list[str]) -> None:
    assert list(parse_command(command, OPEN).argv) == argv


@pytest.mark.parametrize(
    "command",
    [
        "grep --exec",  # a pattern must not begin like an option unless -e says so
        "log --onelin",
        "log -n x",
        "log -n",
        "status --short=yes",
        "merge -s none x",
        "stash frobnicate",
        "bisect",
        "remote -v origin",
        "rebase a b c",
        "",
        "   ",
        "git",
        "'",
        "x" * 70_000,
        "add " + "x " * 2_000,
        "log \ud800",
    ],
)
def test_refusals(command: str) -> None:
    with pytest.raises(Refusal):
        parse_command(command, OPEN)


def test_abbreviations_are_named() -> None:
    with pytest.raises(Refusal, match="did you mean --oneline"):
        parse_command("log --onelin", OPEN)


WORDS = st.one_of(
    st.sampled_from(
        [
            "--",
            "-",
            "-c",
            "-C",
            "--exec",
            "--upload-pack=x",
            "--output=x",
            "-O",
            "--no-index",
            "origin",
            "HEAD",
            "..",
            "-am",
        ]
    ),
    st.sampled_from(sorted({name for spec in SUBCOMMANDS.values() for name in spec.options})),
    st.text(max_size=8),
)


@given(
    name=st.sampled_from([*SUBCOMMANDS, *REMOTE_SUBCOMMANDS, "config", "clone"]),
    words=st.lists(WORDS, max_size=5),
)
def test_only_listed_options_come_out(name: str, words: list[str]) -> None:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    try:
        parsed = parse_command(f"{name} {quoted}", OPEN)
    except Refusal:
        return
    if parsed.arguments is None:  # config has a form of its own
        assert parsed.argv[:2] == ("config", "--local")
        return
    spec = SUBCOMMANDS.get(name) or REMOTE_SUBCOMMANDS[name]
    listed = set(spec.options) | {option for action in spec.actions.values() for option in action.options}
    for option, _ in parsed.arguments.options:
        assert option.name in listed | {"-e"} or option.name[1:].isdecimal()
    assert not any(word.startswith("-") and word != "-" for word in parsed.arguments.positionals)


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(command: str) -> None:
    try:
        parse_command(command, OPEN)
    except Refusal as refusal:
        assert str(refusal)


@given(st.text(max_size=20), st.lists(st.text(alphabet="ab.", min_size=1, max_size=2), max_size=3))
def test_a_path_stays_inside_or_is_refused(path: str, base: list[str]) -> None:
    try:
        parts = resolve_parts(path, tuple(part for part in base if part not in (".", "..")))
    except Refusal:
        return
    assert not {"..", ".", ""} & set(parts)
    assert not any("/" in part or is_git_directory_name(part) for part in parts)


@pytest.mark.parametrize(
    "name", [".git", ".GIT", ".git.", ".git ", ".git. .", "git~1", "GIT~2", ".g\u200cit", ".git:x"]
)
def test_names_that_are_git_somewhere(name: str) -> None:
    assert is_git_directory_name(name)


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", "git", "x.git", "git~", "git~x"])
def test_names_that_are_not(name: str) -> None:
    assert not is_git_directory_name(name)


def test_a_table_with_a_mistake() -> None:
    with pytest.raises(ValueError, match="not an option"):
        options("-s status")
