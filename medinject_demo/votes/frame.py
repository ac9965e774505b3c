"""Votes as a data frame, one row for each comparison of two answers: what the statistics take.

The plain way, vote by vote; ``reading`` has the same from a database at once. Knows neither a database nor a statistic.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from ..domain import LETTERS, MIXTURES, Battle, Kind, Verdict
from .records import LiveVote, Profile, Style

if TYPE_CHECKING:
    import pandas as pd

STYLES: Final = tuple(each.name for each in fields(Style))
SIDES: Final = ("left", "right")
KNOWN: Final[dict[str, list[str]]] = {
    "left": [mixture.slug for mixture in MIXTURES],
    "right": [mixture.slug for mixture in MIXTURES],
    "verdict": [*Verdict],
    "kind": [*Kind],
    "profile": [*Profile],
}
"""Columns of few values, and these."""
TRUTHS: Final = tuple(f"{name}_{side}" for name in ("equivalent", "exact") for side in SIDES)
"""Columns of true, false and not known."""
COLUMNS: Final = (
    *("battle", "ballot", "voter", "cluster", "at", "left", "right", "verdict", "blind", "suspect"),
    *("kind", "specialty", "profile", "prompt", "propensity", "weight", "seconds", "turns"),
    *(f"{name}_{side}" for name in STYLES for side in SIDES),
    *TRUTHS,
)
"""Columns of a frame of votes.

``ballot`` is the vote's id: a ranking gives several rows of one. ``cluster`` is whose votes may depend on each other:
the voter. ``propensity`` is the probability with which the comparison's pair was drawn. ``exact`` is known of
multiple-choice answers whose prompt has a reference.
"""

LONGEST: Final = 100
"""Characters of an answer that may be letters alone; a longer one is prose, or says the same letter over and over."""
_SAID: Final = re.compile(r"r[ée]ponses?\b|\bet\b|[\s(){}\[\].,;:/*_«»\"']", re.IGNORECASE)


def frame(live: Iterable[LiveVote], battle: Callable[[str], Battle | None] = lambda name: None) -> pd.DataFrame:
    """The votes as a frame, in the order given.

    Args:
        live: the votes.
        battle: finds a battle by its id, for its prompt and the letters answered. Without it, no two votes are known to
            be of the same prompt, and no answer is known to be exact.
    """
    return as_frame([row for vote in live for row in _rows(vote, battle(vote.vote.battle))])


def as_frame(rows: Any) -> pd.DataFrame:
    """Rows by column, or columns, with the types of a frame of votes."""
    import pandas as pd

    made = pd.DataFrame(rows, columns=list(COLUMNS))
    kinds: dict[str, Any] = {column: pd.CategoricalDtype(values) for column, values in KNOWN.items()}
    kinds |= dict.fromkeys(("battle", "ballot", "voter", "cluster", "at", "specialty", "prompt"), "str")
    kinds |= dict.fromkeys(("blind", "suspect"), bool) | dict.fromkeys(TRUTHS, "boolean")
    kinds |= dict.fromkeys(("turns", *(f"{name}_{side}" for name in STYLES for side in SIDES)), "int64")
    return made.astype(kinds | dict.fromkeys(("propensity", "weight", "seconds"), float))


@functools.lru_cache(4096)  # greedy answers to the bundled prompts come again and again
def exact(text: str, reference: str) -> bool:
    """Whether an answer is the reference's letters and no other, in any order.

    Nothing but letters, their separators and « réponse » may stand there: an answer in prose is not exact, whatever it
    says. This counts against arms that explain themselves; it is a matter of format as much as of knowledge.
    """
    if len(text) > LONGEST:
        return False
    letters = _SAID.sub(" ", text).split()
    right = reference.replace(",", " ").split()
    joined = "".join(letters)
    return set(joined) == set(right) and set(joined) <= set(LETTERS) and len(joined) <= len(LETTERS)


def pair_propensity(propensity: float, arms: int) -> float:
    """The probability of a comparison's pair, from that with which ``arms`` arms were drawn.

    Three and more are drawn uniformly among n: each of their pairs then comes with the same probability, 2 / n (n - 1).
    """
    if arms == 2:
        return propensity
    among = min(range(arms, len(MIXTURES) + 1), key=lambda n: abs(math.comb(n, arms) * propensity - 1))
    return 1 / math.comb(among, 2)


def _rows(live: LiveVote, battle: Battle | None) -> Iterator[dict[str, object]]:
    vote, places = live.vote, range(len(live.arms))
    exacts = [_exact(battle, place) for place in places]
    for said in live.ballot.comparisons:
        ends = (said.left, said.right)
        yield {
            "battle": vote.battle,
            "ballot": vote.id,
            "voter": vote.voter,
            "cluster": vote.voter,
            "at": vote.at,
            **_sided("", [live.arms[place].slug for place in ends]),
            "verdict": str(said.verdict),
            "blind": vote.blind,
            "suspect": live.suspect,
            "kind": str(live.kind),
            "specialty": live.specialty,
            "profile": str(live.ballot.profile),
            "prompt": vote.battle if battle is None else battle.prompt.id,
            "propensity": pair_propensity(live.propensity, len(live.arms)),
            "weight": 1.0,
            "seconds": vote.seconds,
            "turns": live.turns,
            **{key: getattr(live.styles[place], name) for name in STYLES for key, place in _sided(name, ends).items()},
            **_sided("equivalent", [vote.equivalent[place] for place in ends]),
            **_sided("exact", [exacts[place] for place in ends]),
        }


def _sided(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{side}" if name else side: value for side, value in zip(SIDES, values, strict=True)}


def _exact(battle: Battle | None, place: int) -> bool | None:
    if battle is None or not battle.prompt.right_letters:
        return None
    return exact(battle.answers[place].text, battle.prompt.reference)
