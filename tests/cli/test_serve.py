"""`openenv-gym serve` as the README shows it: an environment in one file, served from where it lies."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import gymnasium

import openenv_gym  # noqa: F401 - registers the ids

README = Path(__file__).parent.parent.parent / "README.md"


def test_serves_the_readmes_environment(tmp_path: Path) -> None:
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "Guess(" in block
    ]
    (tmp_path / "guess.py").write_text(code)
    script = Path(sys.executable).parent / "openenv-gym"
    with subprocess.Popen(
        [script, "serve", "guess:app", "--port", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                if "startup complete" in line:
                    break
            serving = re.search(r"serving on 127\.0\.0\.1 port (\d+)", "".join(lines))
            assert serving, lines
            url = f"http://127.0.0.1:{serving[1]}"
            with gymnasium.make("openenv/Remote-v0", base_url=url) as env:
                env.reset(seed=42)
                assert env.step({"number": 41})[0]["hint"] == "higher"
                _, reward, terminated, _, _ = env.step({"number": 42})
                assert (reward, terminated) == (1.0, True)
        finally:
            process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
