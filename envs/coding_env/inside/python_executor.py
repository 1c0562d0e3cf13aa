"""Run code as Python's own prompt would: names last, a last expression's value is shown."""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import sys
import traceback
import types
from collections.abc import Iterator

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag


class PythonExecutor:
    """One ``__main__`` module in which every step's code runs."""

    def __init__(self) -> None:
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        self._names = main.__dict__
        self._flags = 0

    def run(self, source: str, filename: str) -> int:
        """Run code; what it does not catch is shown on standard error.

        Args:
            source: Python code.
            filename: What tracebacks call it.

        Returns:
            0, 1 after an exception, or what the code handed to `sys.exit`.
        """
        # Without a modification time the lines stay until they are replaced.
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        try:
            for code in list(self._compiled(source, filename)):
                exec(code, self._names)
        except SystemExit as request:
            return _status(request)
        except BaseException as error:  # noqa: BLE001 - as the prompt does
            show(error)
            return 1
        return 0

    def _compiled(self, source: str, filename: str) -> Iterator[types.CodeType]:
        tree = compile(source, filename, "exec", self._flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        shown = [tree.body.pop()] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
        code = compile(tree, filename, "exec", self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURES
        yield code
        if shown:
            yield compile(ast.Interactive(shown), filename, "single", self._flags, dont_inherit=True)


def show(error: BaseException) -> None:
    """Print a traceback to standard error, without the frames of whoever called the code."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        if trace is None:
            lines = traceback.format_exception_only(error)
        else:
            lines = traceback.format_exception(type(error), error, trace)
        sys.stderr.write("".join(lines))
    except BaseException:  # noqa: BLE001 - hostile exceptions and streams; something is to be said all the same
        os.write(2, f"{type.__dict__['__name__'].__get__(type(error))}\n".encode())


def _status(request: SystemExit) -> int:
    """The exit status that `sys.exit` asks for, as an operating system would keep it."""
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)
    return 1
