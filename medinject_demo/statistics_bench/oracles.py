"""Other people's answers to the same questions: evalica's Bradley-Terry on its own example, and a textbook's.

Knows no frame: plain Bradley and Terry, no prior, no covariates.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import InvalidData, MedInjectError
from ..stats.logistic import Logistic, logistic
from ..stats.preference import design, precision

Duel = tuple[str, str, float]
"""Left, right, and the left's share of the win."""

_FOOD: Final = """
Pizza Sushi <|Burger Pasta >|Tacos Pizza <|Sushi Tacos >|Burger Pizza <|Pasta Sushi >|Tacos Burger <|Pizza Pasta =
Sushi Burger >|Pasta Tacos <|Burger Sushi >|Tacos Pizza <|Sushi Pasta =|Burger Tacos <|Pizza Burger >|Pasta Tacos >
Burger Sushi >|Tacos Pasta <|Pizza Tacos >|Sushi Burger <|Pasta Pizza >|Burger Sushi >|Tacos Pasta <|Pizza Sushi <
Sushi Burger >|Pasta Tacos >|Tacos Pizza <|Burger Pasta >|Sushi Tacos <|Pizza Burger >
"""
"""``food.csv``, the example of evalica's README (github.com/dustalov/evalica): < the left won, > the right, = a tie."""

_TEAMS: Final = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
_WINS: Final = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)
PUBLISHED: Final = (1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0)
"""Agresti, Categorical Data Analysis, 2nd edition, section 10.6: strengths less Baltimore's, to two decimals."""


@dataclass(frozen=True)
class Agreement:
    """How far two answers are apart."""

    name: str
    arms: int
    comparisons: int
    apart: float
    """The largest difference between two strength differences, in logits."""


def food() -> list[Duel]:
    """The thirty comparisons of evalica's example."""
    shares = {"<": 1.0, ">": 0.0, "=": 0.5}
    lines = [duel.split() for line in _FOOD.strip().splitlines() for duel in line.split("|")]
    return [(left, right, shares[sign]) for left, right, sign in lines]


def baseball() -> list[Duel]:
    """The 273 games of 1987 of Agresti's table."""
    return [
        (_TEAMS[row], _TEAMS[column], 1.0)
        for row, wins in enumerate(_WINS)
        for column, count in enumerate(wins)
        for _ in range(count)
    ]


def read(path: Path) -> list[Duel]:
    """Comparisons from a file of evalica's columns: ``left``, ``right`` and ``winner`` (left, right, tie).

    Raises:
        InvalidData: it has others.
    """
    shares = {"left": 1.0, "right": 0.0, "tie": 0.5}
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        return [(row["left"], row["right"], shares[row["winner"]]) for row in rows]
    except KeyError as error:
        expected = "columns left, right and winner, the last with left, right or tie"
        raise InvalidData.of(str(path), expected=expected, got=f"no {error}") from error


def plain(duels: Sequence[Duel]) -> tuple[list[str], Logistic]:
    """Bradley and Terry's model by the fit of the board, without prior, position or style; rows independent."""
    names = list(dict.fromkeys(name for left, right, _ in duels for name in (left, right)))
    left, right = (np.array([names.index(name) for name in side]) for side in _sides(duels))
    rows = design(left, right, np.zeros((len(duels), 0)), len(names))[:, :-1]
    share = np.array([duel[2] for duel in duels])
    alone = np.zeros(len(duels), np.int64)
    return names, logistic(rows, share, np.ones(len(duels)), alone, precision(0.0, len(names), 0))


def _sides(duels: Sequence[Duel]) -> tuple[list[str], list[str]]:
    return [left for left, _, _ in duels], [right for _, right, _ in duels]


def require_evalica() -> None:
    """Raises MedInjectError where the oracle is not installed; no user of the board needs it."""
    if find_spec("evalica") is None:
        raise MedInjectError("evalica: expected the package, got none. Run: pip install -r requirements-dev.txt")


def beside_evalica(name: str, duels: Sequence[Duel]) -> Agreement:
    """The same comparisons to evalica."""
    from evalica import Winner, bradley_terry

    names, ours = plain(duels)
    winner = {1.0: Winner.X, 0.0: Winner.Y, 0.5: Winner.Draw}
    left, right, share = zip(*duels, strict=True)
    scores = bradley_terry(left, right, [winner[each] for each in share], tolerance=1e-14, limit=100_000).scores
    theirs = np.log(scores[names].to_numpy())
    return Agreement(name, len(names), len(duels), _apart(ours.coefficients, theirs))


def beside_the_textbook() -> Agreement:
    """Agresti's games to his coefficients."""
    duels = baseball()
    names, ours = plain(duels)
    theirs = np.array([PUBLISHED[_TEAMS.index(name)] for name in names])
    return Agreement("Agresti, baseball of 1987", len(names), len(duels), _apart(ours.coefficients, theirs, -1))


def _apart(ours: np.ndarray, theirs: np.ndarray, reference: int = 0) -> float:
    return float(abs((ours - ours[reference]) - (theirs - theirs[reference])).max())
