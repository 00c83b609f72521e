"""Full-text search for tools: BM25 over names, descriptions and parameters.

SQLite's full-text search stems and ranks. This module splits text into words (at case, underscore and digit), weights
the columns, and replaces a word that no tool contains with the most similar ones. With 2,000 tools the first search
builds the index in 100 ms, and each takes 1 to 3 ms.
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
"""Characters of a description that are indexed. The rest of a long description is mostly repetition."""

_WEIGHTS = (10.0, 2.0, 3.0, 4.0)
"""Of name, description, parameters and server. A word in the name says most about a tool."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """The searchable text of one tool."""

    server: str
    name: str
    description: str
    parameters: tuple[str, ...]


class SearchIndex:
    """An in-memory index of a fixed list of entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        # Used on one thread, but may be closed on any, by the garbage collector.
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
        """The positions of the entries that match `query`, best first, at most `limit`."""
        query_words = words(query)[:MAX_QUERY_WORDS]
        # A word in more than a third of all tools does not distinguish them, and is the most expensive to look up.
        distinctive = [word for word in query_words if self._known[word] <= self._common] or query_words
        terms = [term for word in distinctive for term in self._terms(word)]
        if not terms:
            return []
        weights = ", ".join(map(str, _WEIGHTS))
        rows = self._db.execute(
            f"SELECT rowid FROM tools WHERE tools MATCH ? ORDER BY bm25(tools, {weights}), rowid LIMIT ?",
            (" OR ".join(terms), limit),
        )
        return [cast(int, number) for (number,) in rows]

    def _terms(self, word: str) -> Sequence[str]:
        """The FTS5 terms for one word of a query. Words contain letters and digits only, so none needs escaping."""
        if word in self._known or len(word) < 4:
            return (f'"{word}"',) if len(word) < 3 else (f'"{word}"', f'"{word}"*')
        if self._db.execute("SELECT 1 FROM tools WHERE tools MATCH ? LIMIT 1", (f'"{word}"*',)).fetchone():
            return (f'"{word}"*',)
        # The first letter is rarely misspelled. That reduces some thousand words to compare to some hundred.
        alike = [known for known in self._by_initial.get(word[0], ()) if abs(len(known) - len(word)) <= 2]
        return [f'"{known}"' for known in difflib.get_close_matches(word, alike, n=2, cutoff=0.75)]


def words(text: str) -> list[str]:
    """`text` as lower-case words: `getUserByID_v2` is get, user, by, id, v, 2."""
    return [word.lower() for word in _WORD.findall(text)]
