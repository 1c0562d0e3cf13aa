"""Writes TextArena's ``words.txt`` from Debian's ``wamerican-small`` and ``wordnet-base``.

Run it where both packages are installed: ``python tools/textarena_words.py``. The head of the written file
says what the rules are.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

SPELLING = Path("/usr/share/dict/american-english-small")
WORDNET = Path("/usr/share/wordnet")
TARGET = Path(__file__).parents[1] / "envs/textarena_env/server/words/words.txt"
# Nobody should have to guess these.
LEFT_OUT = frozenset({"faggot", "fucker", "nigger", "prick", "pussy", "rapist", "slave", "whore"})
NOUN = "1"  # WordNet's number for the part of speech
HEAD = """\
# English words of three to twelve letters, for the word games of TextArena.
# Words: Debian's wamerican-small 2020.12.07 (SCOWL, size 35), lower case and letters only.
# "n" after a word: a noun, in WordNet 3.0 (Debian's wordnet-base) and no plural of another word here.
# "N": besides, a common one, which games choose as secrets: counted as a noun at least twice in WordNet's
# tagged texts, and at least as often as otherwise; no slurs. The licences are in COPYRIGHT.
"""


def main() -> None:
    """Read both packages and write the list."""
    spelled = [line.strip() for line in SPELLING.read_text("utf-8").splitlines()]
    words = sorted({word for word in spelled if re.fullmatch("[a-z]{3,12}", word)})
    nouns = _nouns() - {word for word in words if _is_plural(word, set(words))}
    counts = _tagged_counts()
    lines = [f"{word}{_mark(word, nouns, counts[word])}" for word in words]
    TARGET.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _nouns() -> set[str]:
    index = (WORDNET / "index.noun").read_text("utf-8").splitlines()
    return {line.split()[0] for line in index if not line.startswith(" ")}


def _tagged_counts() -> defaultdict[str, Counter[str]]:
    """How often WordNet's texts use each word as which part of speech."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in (WORDNET / "cntlist.rev").read_text("utf-8").splitlines():
        sense, _, count = line.split()
        word, _, key = sense.partition("%")
        counts[word][key[0]] += int(count)
    return counts


def _is_plural(word: str, words: set[str]) -> bool:
    return word.endswith("s") and (word[:-1] in words or (word.endswith("es") and word[:-2] in words))


def _mark(word: str, nouns: set[str], counts: Counter[str]) -> str:
    if word not in nouns:
        return ""
    common = counts[NOUN] >= 2 and 2 * counts[NOUN] >= counts.total() and word not in LEFT_OUT
    return " N" if common else " n"


if __name__ == "__main__":
    main()
