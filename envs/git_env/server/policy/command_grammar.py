"""How one git subcommand's arguments are read: which options it takes, and what each option's value is.

Git accepts any unambiguous beginning of a long option (``--upl`` for ``--upload-pack``), so a list of
forbidden options is a sieve. Here only listed options exist, by their full names. What was read is written
out again in one canonical form, every value attached to its option, so that git cannot read it differently.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from git_env.server.policy.refusal import Refusal

CheckPath = Callable[[str], str]

_NUMBER = re.compile(r"-?[0-9]{1,9}%?\Z")
_COUNT = re.compile(r"-[0-9]{1,9}\Z")
_OPTION = re.compile(r"(?P<name>--?[A-Za-z0-9][A-Za-z0-9-]*)(?:(?P<optional>\[)?=(?P<kind>[^\]]+)\]?)?\Z")
_SHELL_WORDS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "2>/dev/null"})


@dataclass(frozen=True)
class PathChecks:
    """How the working directory judges an argument that may be a path; each raises `Refusal`, or returns the
    argument as git may have it.

    Attributes:
        plain: Where git works on names as they stand.
        following: Where git opens what the name leads to, through a symbolic link at its end.
    """

    plain: CheckPath
    following: CheckPath


@dataclass(frozen=True)
class Option:
    """One option: no value, a value, or an optional one that must be attached.

    Attributes:
        name: With its dashes.
        kind: ``""`` for a flag, else ``text``, ``number``, ``path`` or the allowed words, ``a|b|c``.
        optional: Whether the value may be left out.
    """

    name: str
    kind: str = ""
    optional: bool = False

    def check(self, value: str, checks: PathChecks) -> str:
        """The value to hand to git.

        Raises:
            Refusal: It is not of this option's kind.
        """
        if self.kind == "path":
            return checks.following(value)
        if self.kind == "number":
            if not _NUMBER.match(value):
                raise Refusal(f"{self.name} takes a number, not {value!r}")
        elif self.kind != "text" and value not in self.kind.split("|"):
            raise Refusal(f"{self.name} takes one of {', '.join(self.kind.split('|'))}, not {value!r}")
        return value

    def canonical(self, value: str | None) -> list[str]:
        """The arguments that say this to git, value attached."""
        if value is None:
            return [self.name]
        if self.name.startswith("--"):
            return [f"{self.name}={value}"]
        return [f"{self.name}{value}"] if value else [self.name, ""]


def options(text: str) -> Mapping[str, Option]:
    """Read a table: ``-s --short --author=text --format[=text] --cleanup=strip|verbatim``."""
    table: dict[str, Option] = {}
    for word in text.split():
        match = _OPTION.match(word)
        if match is None:
            raise ValueError(f"not an option: {word!r}")
        table[match["name"]] = Option(match["name"], match["kind"] or "", match["optional"] is not None)
    return MappingProxyType(table)


@dataclass(frozen=True)
class Subcommand:
    """What one git subcommand, or one action of it (``stash pop``), may be given.

    Attributes:
        options: Its options by name.
        writes: Whether it can change the workspace.
        max_positionals: Bound on revisions and paths together; None for any number.
        numeric: Whether ``-5`` is short for a count.
        pattern_first: The first positional is a search pattern, not a path.
        follows_links: Git follows a symbolic link at the end of its paths: ``mv`` into a linked directory,
            ``apply`` when it opens a patch.
        default_positional: Added where none is given, because git would read standard input.
        actions: Its actions by name; then the subcommand itself takes no positionals.
        default_action: What a call without an action means; None when one is needed.
        forced: Options added to every call.
    """

    options: Mapping[str, Option] = field(default_factory=dict)
    writes: bool = False
    max_positionals: int | None = None
    numeric: bool = False
    pattern_first: bool = False
    follows_links: bool = False
    default_positional: str | None = None
    actions: Mapping[str, Subcommand] = field(default_factory=dict)
    default_action: str | None = None
    forced: tuple[str, ...] = ()


@dataclass
class Arguments:
    """A subcommand's arguments, read.

    Attributes:
        options: (option, value) in the order given.
        positionals: Revisions and paths before ``--``.
        paths: Paths after ``--``; None without ``--``.
    """

    options: list[tuple[Option, str | None]] = field(default_factory=list)
    positionals: list[str] = field(default_factory=list)
    paths: list[str] | None = None

    def has(self, *names: str) -> bool:
        """Whether one of these options was given."""
        return any(option.name in names for option, _ in self.options)

    def canonical(self) -> list[str]:
        """The argument list for git."""
        words = [word for option, value in self.options for word in option.canonical(value)]
        words += self.positionals
        return words if self.paths is None else [*words, "--", *self.paths]


def read_arguments(label: str, spec: Subcommand, words: list[str], checks: PathChecks) -> Arguments:
    """Read ``words`` as arguments of ``spec``.

    Args:
        label: What to call the subcommand in messages ("git stash pop").
        spec: What it may be given.
        words: The words after the subcommand.
        checks: Judges of revisions and paths.

    Raises:
        Refusal: Something that ``spec`` does not list.
    """
    result = Arguments()
    check_path = checks.following if spec.follows_links else checks.plain
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            result.paths = [check_path(path) for path in rest]
            break
        if spec.numeric and _COUNT.match(word):
            result.options.append((Option(word), None))
        elif word.startswith("--"):
            result.options.append(_long_option(label, spec, word, rest, checks))
        elif word.startswith("-") and word != "-":
            result.options += _short_options(label, spec, word, rest, checks)
        elif spec.pattern_first and not result.positionals and not result.has("-e"):
            # Attached to -e, so that neither its first character nor what follows can change its meaning.
            result.options.append((Option("-e", "text"), word))
            spec = _without_pattern(spec)
        else:
            if word in _SHELL_WORDS:
                raise Refusal(f"{word!r}: commands are not run by a shell; give one git command a step")
            result.positionals.append(check_path(word))
    given = len(result.positionals) + len(result.paths or ())
    if spec.max_positionals is not None and given > spec.max_positionals:
        raise Refusal(f"{label} takes at most {spec.max_positionals} arguments here, not {given}")
    if not given and spec.default_positional is not None:
        result.positionals.append(spec.default_positional)
    return result


def _without_pattern(spec: Subcommand) -> Subcommand:
    return Subcommand(options=spec.options, writes=spec.writes, numeric=spec.numeric)


def _long_option(
    label: str, spec: Subcommand, word: str, rest: list[str], checks: PathChecks
) -> tuple[Option, str | None]:
    name, equals, attached = word.partition("=")
    option = _find(label, spec, name)
    value: str | None = attached if equals else None
    if value is not None and not option.kind:
        raise Refusal(f"{name} takes no value")
    if value is None and option.kind and not option.optional:
        value = _next(option, rest)
    return option, None if value is None else option.check(value, checks)


def _short_options(
    label: str, spec: Subcommand, word: str, rest: list[str], checks: PathChecks
) -> list[tuple[Option, str | None]]:
    """Read a cluster such as ``-am`` or ``-U3``: the first letter with a value takes what is left of it."""
    found: list[tuple[Option, str | None]] = []
    letters = word[1:]
    while letters:
        option = _find(label, spec, "-" + letters[0])
        letters = letters[1:]
        if not option.kind:
            found.append((option, None))
            continue
        value: str | None = letters or None
        if value is None and not option.optional:
            value = _next(option, rest)
        found.append((option, None if value is None else option.check(value, checks)))
        break
    return found


def _next(option: Option, rest: list[str]) -> str:
    if not rest:
        raise Refusal(f"{option.name} needs a value")
    return rest.pop(0)


def _find(label: str, spec: Subcommand, name: str) -> Option:
    option = spec.options.get(name)
    if option is None:
        near = difflib.get_close_matches(name, spec.options, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise Refusal(f"{label} does not take the option {name} here (options need their full names){hint}")
    return option
