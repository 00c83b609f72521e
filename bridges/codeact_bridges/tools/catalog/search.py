"""Finding tools by words: BM25 over names, descriptions and parameters.

SQLite's full-text search ranks and stems; here words are cut (at case, underscore and digit), weighted, and a word
that no tool knows is replaced by the known ones that look most like it. 2,000 tools: built once in 100 ms when first
asked, a search takes 1 to 3 ms.
"""

import difflib
import re
import sqlite3
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

MAX_QUERY_WORDS = 12
MAX_INDEXED = 1_500
"""Characters of a description that are searched. The rest of a long one repeats itself."""

_WEIGHTS = (10.0, 2.0, 3.0, 4.0)
"""Of name, description, parameters and server: a word in the name says what a tool does."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one tool."""

    server: str
    name: str
    description: str
    parameters: tuple[str, ...]


class SearchIndex:
    """An index in memory over a fixed list of entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        # Used on one thread, but closed on whichever collects the garbage.
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._db.close)
        self._db.execute(
            "CREATE VIRTUAL TABLE tools USING fts5"
            "(name, description, parameters, server, content='', tokenize='porter unicode61')"
        )
        known: Counter[str] = Counter()
        rows: list[tuple[int | str, ...]] = []
        for number, entry in enumerate(entries):
            columns = [
                words(text)
                for text in (entry.name, entry.description[:MAX_INDEXED], " ".join(entry.parameters), entry.server)
            ]
            known.update({word for column in columns for word in column})
            rows.append((number, *(" ".join(column) for column in columns)))
        self._db.executemany(
            "INSERT INTO tools(rowid, name, description, parameters, server) VALUES (?, ?, ?, ?, ?)", rows
        )
        self._known = known
        self._common = max(10, len(rows) // 3)
        self._by_initial: dict[str, list[str]] = {}
        for word in sorted(known):
            self._by_initial.setdefault(word[0], []).append(word)

    def find(self, query: str, limit: int) -> list[int]:
        """The positions of the entries that fit `query`, best first, at most `limit`."""
        asked = words(query)[:MAX_QUERY_WORDS]
        # A word that a third of all tools have tells nothing, and costs the most to look up.
        telling = [word for word in asked if self._known[word] <= self._common] or asked
        terms = [term for word in telling for term in self._terms(word)]
        if not terms:
            return []
        weights = ", ".join(map(str, _WEIGHTS))
        rows = self._db.execute(
            f"SELECT rowid FROM tools WHERE tools MATCH ? ORDER BY bm25(tools, {weights}), rowid LIMIT ?",
            (" OR ".join(terms), limit),
        )
        return [cast(int, number) for (number,) in rows]

    def _terms(self, word: str) -> Sequence[str]:
        """FTS5 terms for one word of a query. Words hold letters and digits only, so nothing needs escaping."""
        if word in self._known or len(word) < 4:
            return (f'"{word}"',) if len(word) < 3 else (f'"{word}"', f'"{word}"*')
        if self._db.execute("SELECT 1 FROM tools WHERE tools MATCH ? LIMIT 1", (f'"{word}"*',)).fetchone():
            return (f'"{word}"*',)
        # Nobody misspells the first letter. That leaves some hundred words of some thousand to compare.
        alike = [known for known in self._by_initial.get(word[0], ()) if abs(len(known) - len(word)) <= 2]
        return [f'"{known}"' for known in difflib.get_close_matches(word, alike, n=2, cutoff=0.75)]


def words(text: str) -> list[str]:
    """`text` as lower-case words: `getUserByID_v2` is get, user, by, id, v, 2."""
    return [word.lower() for word in _WORD.findall(text)]
