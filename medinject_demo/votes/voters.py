"""The names under which one voter's rows are kept: one name a voter, and versions that no two of their votes share.

An instance that forgets a voter gives them a name that points to nobody; another may know them by their hash still, or
have forgotten them under another name. A vote or a battle that both hold tells that the two are one person's. Knows
the tables, and no text in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from ..errors import InvalidData
from .moments import moment_of
from .owed import rename
from .schema import battles, votes

FORGOTTEN: Final = "forgotten-"
"""How the hash of a voter begins that points to nobody any more."""
Same = tuple[str, str]
"""Two names of one voter."""


def is_nobody(name: str) -> bool:
    """True for the name of a voter who was forgotten."""
    return name.startswith(FORGOTTEN)


class Names:
    """What a merge learns of the names of voters."""

    def __init__(self) -> None:
        self.same: set[Same] = set()
        """Of rows that both have: the name here, and the one there."""
        self._taken = Counter[str]()
        self._new: dict[str, str] = {}

    def add(self, name: str, where: str) -> None:
        """Of a row that was not here, read at ``where``."""
        self._taken[name] += 1
        self._new[name] = where

    def meet(self, ours: str, theirs: str, taken: bool) -> None:
        """Of a row that both have; ``taken`` where no more of it was erased here."""
        if ours != theirs:
            self.same.add((ours, theirs))
        self._taken[theirs] += taken

    def how_many(self, names: Collection[str]) -> int:
        """Rows that came under these names, but for those that are behind for another reason."""
        return sum(self._taken[name] for name in names)

    def require_no_second(self) -> None:
        """Raises InvalidData where a voter would get a second name here: what they say would count twice."""
        for name in sorted({name for pair in self.same for name in pair}):
            if name in self._new:
                expected, got = (
                    "a voter under the name that they have here",
                    "one who was forgotten on one of the sides",
                )
                raise InvalidData.of(self._new[name], expected=expected, got=got, remedy="Give --erase.")


def one_name_each(pairs: Iterable[Same]) -> dict[str, str]:
    """The name that each other one gives way to: of those of a voter that point to nobody, the least.

    So that instances which forgot a voter apart come to the same, whichever hears of the other first. A voter whose
    names are all hashes is left out.
    """
    groups: list[set[str]] = []
    for pair in pairs:
        joined = set(pair).union(*(group for group in groups if not group.isdisjoint(pair)))
        groups = [group for group in groups if group.isdisjoint(pair)] + [joined]
    rights = [(group, min(filter(is_nobody, group), default="")) for group in groups]
    return {name: right for group, right in rights if right for name in sorted(group - {right})}


def rename_voter(connection: Connection, old: str, new: str) -> int:
    """Put one name of a voter in the place of another, on votes, battles and debts; how many votes comes back.

    Where both names voted on a battle, these votes are counted anew by their time: one of them is the latest.
    """
    theirs = select(votes.c.battle).where(votes.c.voter == new)
    mine = votes.c.voter == old
    both = list(connection.execute(select(votes.c.battle).distinct().where(mine, votes.c.battle.in_(theirs))).scalars())
    apart = update(votes).where(mine, votes.c.battle.in_(both))
    connection.execute(apart.values(version=-votes.c.version))  # those stored are above zero
    renamed = connection.execute(update(votes).where(mine).values(voter=new)).rowcount
    connection.execute(update(battles).where(battles.c.voter == old).values(voter=new))
    for battle in sorted(both):
        count_anew(connection, battle, new)
    rename(connection, old, new)
    return renamed


def count_anew(connection: Connection, battle: str, voter: str) -> None:
    """Number a voter's votes on a battle from 1, in the order of their time."""
    mine: tuple[Any, ...] = (votes.c.battle == battle, votes.c.voter == voter)
    rows = connection.execute(select(votes.c.id, votes.c.at).where(*mine)).all()
    ids = [row.id for row in sorted(rows, key=lambda row: (moment_of(row.at), row.id))]
    least = connection.scalar(select(func.min(votes.c.version)).where(*mine))
    for first in (min(least, 0) - len(ids), 1):  # through numbers that none of them has, for no two may be the same
        for version, name in enumerate(ids, start=first):
            connection.execute(update(votes).where(votes.c.id == name).values(version=version))
