"""wire/README.md is the protocol: its tables are complete, and its conversation is what the machines say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import openenv_gym.wire
from openenv_gym.wire.messages import Outcome
from openenv_gym.wire.v1.codecs import JsonCodec
from openenv_gym.wire.v1.entries import Call, Greeting, Kind, Verb
from openenv_gym.wire.v1.server_effects import CloseSession, OpenSession, RunCall
from openenv_gym.wire.v1.server_machine import ServerMachine
from openenv_gym.wire.v1.server_terms import ServerTerms

TEXT = (Path(openenv_gym.wire.__file__).parent / "README.md").read_text()


def first_column(heading: str) -> set[str]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_invariants_are_numbered_without_gaps() -> None:
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", TEXT, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_tables_name_every_op_and_kind() -> None:
    assert first_column("Ops") == {*Call, *Verb}
    assert first_column("Kinds") == {*Kind}


def test_the_greeting_is_described() -> None:
    for field in Greeting.__struct_fields__:
        assert f"`{field}`" in TEXT


def conversation() -> list[tuple[str, list[Any]]]:
    """Who speaks, and the entries; ``("cut", [])`` where the connection ends."""
    block = TEXT.split("## A connection, from its beginning")[1].split("```")[1]
    turns: list[tuple[str, list[Any]]] = []
    for line in block.strip().splitlines():
        speaker, entries = line[:6].strip(), line[6:].strip()
        if speaker not in ("client", "server"):
            turns.append(("cut", []))
            continue
        whole = entries.replace(", ...}", "}").replace('..."', '...-0123456789"')
        turns.append((speaker, [json.loads(entry) for entry in re.split(r"(?<=\]) {2,}(?=\[)", whole)]))
    return turns


def test_the_conversation_is_what_a_server_says() -> None:
    codec = JsonCodec()
    server = ServerMachine(ServerTerms("b7e1", 64))
    number = server.connect(codec)
    running: list[str] = []
    heard = 0

    def hear() -> list[Any]:
        for effect in server.take_effects():
            match effect:
                case OpenSession(session):
                    server.opened(session)
                case RunCall(session):
                    running.append(session)
                case CloseSession(session):
                    server.closed(0.0, session)
        replies: list[Any] = []
        while (frame := server.next_frame(number)) is not None:
            replies += json.loads(frame)
        return replies

    for speaker, entries in conversation():
        if speaker == "cut":
            server.disconnect(0.0, number)
            number = server.connect(codec)
        elif speaker == "client":
            server.receive(0.0, number, codec.join([codec.encode(tuple(entry)) for entry in entries]))
        else:
            replies = hear()
            if len(replies) < len(entries):
                server.finished(running.pop(), Outcome({"text": "hello"}))
                replies += hear()
            for said, expected in zip(replies, entries, strict=True):
                assert said[:3] == expected[:3]
                if expected[2] == "greeting":
                    assert expected[3].items() <= said[3].items()
                else:
                    assert said[3:] == (expected[3:] or [None])
                heard += 1
    assert heard == 9
