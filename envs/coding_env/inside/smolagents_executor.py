"""Run code by smolagents' restricted interpreter, with outputs as OpenEnv's coding environment gives them."""

from __future__ import annotations

import json
import sys
import traceback

_MORE_IMPORTS = ["json"]


class SmolagentsExecutor:
    """One restricted interpreter, whose variables last."""

    def __init__(self) -> None:
        # Only now: where to import it from is not known when this module is loaded.
        from smolagents.local_python_executor import LocalPythonExecutor

        # Its own time limit would leave the code running in a thread; the server has a better one.
        self._executor = LocalPythonExecutor(_MORE_IMPORTS, timeout_seconds=None)
        self._executor.send_tools({"format_exc": traceback.format_exc, "safe_json_dumps": _dumps})

    def run(self, source: str, filename: str) -> int:
        """Run code; see `coding_env.inside.python_executor.PythonExecutor.run`."""
        del filename  # its errors quote the code instead
        try:
            result = self._executor(source)
        except BaseException as error:  # noqa: BLE001 - an interrupt too ends the code, not the interpreter
            sys.stdout.write(str(self._executor.state.get("_print_outputs", "")))
            sys.stderr.write("".join(traceback.format_exception_only(error)))
            return 1
        shown = [str(result.logs)] if result.logs else []
        if result.output is not None:
            shown.append(_written(result.output))
        sys.stdout.write("\n".join(shown))
        return 0


def _dumps(value: object) -> str:
    return json.dumps(value, default=repr)


def _written(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
