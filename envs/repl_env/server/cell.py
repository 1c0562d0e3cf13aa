"""What one cell did, put together from the kernel's messages."""

from __future__ import annotations

import json
from typing import Any

from repl_env.kernel.frames import Channel

_MAX_NAMES = 1000
_TRUNCATED = "\n... (more than {limit} characters; the rest is left out)"


class Cell:
    """Collects a cell's messages; nothing that a kernel may send makes it raise, or grow without bound.

    Args:
        max_output: Characters kept of each of stdout and stderr.
        max_rich: Bytes kept of displayed data, together.

    Attributes:
        outputs: As a notebook keeps them (nbformat 4): ``stream``, ``display_data``, ``execute_result``,
            ``error``.
        interrupted: Whether it overran its time.
        seconds: How long it ran.
        exception: Type and message of the exception that ended it; None if none did.
        namespace: What the kernel says about the variables.
    """

    def __init__(self, max_output: int, max_rich: int) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.interrupted = False
        self.seconds = 0.0
        self.exception: str | None = None
        self.namespace = Namespace({})
        self._max_output = max_output
        self._left = {"stdout": max_output, "stderr": max_output}
        self._max_rich = self._rich_left = max_rich
        self._idle = self._replied = False

    def take(self, channel: Channel, message: dict[str, Any]) -> bool:
        """Take one message that answers the cell; True when it was the last."""
        content = message["content"]
        match channel, message.get("msg_type"):
            case Channel.SHELL, "execute_reply":
                self._replied = True
                self.namespace = Namespace(content.get("namespace"))
            case Channel.IOPUB, "status":
                self._idle |= content.get("execution_state") == "idle"
            case Channel.IOPUB, "stream":
                self._stream("stderr" if content.get("name") == "stderr" else "stdout", content.get("text"))
            case Channel.IOPUB, ("display_data" | "execute_result") as kind:
                self._show(str(kind), content.get("data"), content.get("metadata"))
            case Channel.IOPUB, "error":
                self._fail(content)
        return self._idle and self._replied

    @property
    def stdout(self) -> str:
        """What a terminal would have shown: what was printed, and displayed values as text."""
        texts = []
        for output in self.outputs:
            if output["output_type"] == "stream" and output["name"] == "stdout":
                texts.append(output["text"])
            elif "data" in output:
                texts.append(output["data"].get("text/plain", "") + "\n")
        return "".join(texts)[: self._max_output + len(_TRUNCATED)]

    @property
    def stderr(self) -> str:
        """What was written to stderr, then the traceback."""
        streams = [output["text"] for output in self.outputs if output.get("name") == "stderr"]
        tracebacks = ["\n".join(output["traceback"]) for output in self.outputs if "traceback" in output]
        return "".join([*streams, *tracebacks])

    def _stream(self, name: str, text: Any) -> None:
        if not isinstance(text, str) or self._left[name] < 0:
            return
        kept = text[: self._left[name]]
        self._left[name] -= len(text)
        if self._left[name] < 0:
            kept += _TRUNCATED.format(limit=self._max_output)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += kept
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": kept})

    def _show(self, kind: str, data: Any, metadata: Any) -> None:
        if not isinstance(data, dict):
            return
        size = len(json.dumps(data))
        self._rich_left -= size
        if self._rich_left < 0:
            text = (
                f"(an output of {size} bytes is left out: a cell's outputs are limited to {self._max_rich})"
            )
            data, metadata = {"text/plain": text}, {}
            if self.outputs and self.outputs[-1].get("data") == data:
                return
        shown = metadata if isinstance(metadata, dict) else {}
        data = {
            str(key): value if isinstance(value, str) else json.dumps(value) for key, value in data.items()
        }
        self.outputs.append({"output_type": kind, "data": data, "metadata": shown})

    def _fail(self, content: dict[str, Any]) -> None:
        name, text = (str(content.get(key, "")) for key in ("ename", "evalue"))
        lines = content.get("traceback")
        traceback = "\n".join(map(str, lines)) if isinstance(lines, list) else ""
        if len(traceback) > self._max_output:
            traceback = "...\n" + traceback[-self._max_output :]  # the end says what it was
        self.exception = f"{name}: {text}"[: self._max_output] if text else name
        self.outputs.append(
            {
                "output_type": "error",
                "ename": name,
                "evalue": text[: self._max_output],
                "traceback": [traceback],
            }
        )


class Namespace:
    """What a kernel says about its variables, in bounds and of the right types.

    Args:
        report: The kernel's word for it, of any shape.

    Attributes:
        names: The user's variables.
        changed: The new and changed ones, as text.
        final: What was given to ``FINAL``; None if nothing was.
        ready: Whether ``answer["ready"]`` is true.
        content: ``answer["content"]``.
    """

    def __init__(self, report: Any) -> None:
        fields = report if isinstance(report, dict) else {}
        names, changed = fields.get("names"), fields.get("changed")
        self.names = [str(name) for name in names[:_MAX_NAMES]] if isinstance(names, list) else []
        pairs = list(changed.items())[:_MAX_NAMES] if isinstance(changed, dict) else []
        self.changed = {str(name): str(text)[:1000] for name, text in pairs}
        self.final = final if isinstance(final := fields.get("final"), str) else None
        self.ready = fields.get("ready") is True
        self.content = str(fields.get("content", ""))
