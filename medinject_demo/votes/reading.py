"""All live votes, from the database into a frame: column by column, without a value for each vote in between.

``frame.frame(store.live_votes(), store.battle)`` gives the same in a plain way; a test holds the two together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, case, func, select

from .frame import KNOWN, LONGEST, SIDES, STYLES, as_frame, exact, pair_propensity
from .rankings import comparisons
from .schema import answers, battles, votes
from .suspects import SUSPECT

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def read_frame(connection: Connection, live: tuple[Any, ...]) -> pd.DataFrame:
    """The votes for which the conditions ``live`` hold, in the order of their time."""
    import numpy as np
    import pandas as pd

    said = _table(connection, _votes(live))
    row, ends, verdict = _comparisons(said)
    index, styles, exacts = _answers(connection)
    battle = index.get_indexer(pd.Index(said["battle"]))[row]
    columns: dict[str, Any] = {
        name: said[name].to_numpy()[row]
        for name in ("battle", "voter", "at", "blind", "kind", "specialty", "profile", "prompt", "seconds", "suspect")
    }
    columns |= {"ballot": said["id"].to_numpy()[row], "cluster": columns["voter"], "verdict": verdict, "weight": 1.0}
    columns["propensity"] = _propensities(said)[row]
    columns["turns"] = styles[battle, 0, -1]
    arms = _arms(said)
    equivalents = _equivalents(said, arms.shape[1])
    slugs = np.array(KNOWN["left"], dtype=object)
    for side, place in zip(SIDES, ends, strict=True):
        columns[side] = slugs[arms[row, place]]
        columns |= {f"{name}_{side}": styles[battle, place, number] for number, name in enumerate(STYLES)}
        columns[f"equivalent_{side}"] = equivalents[row, place]
        columns[f"exact_{side}"] = exacts[battle, place]
    return as_frame(columns)


def _votes(live: tuple[Any, ...]) -> Select[Any]:
    said = (*(votes.c[name] for name in ("id", "battle", "voter", "at", "verdict", "ranking", "profile")),)
    rest = (votes.c.equivalent, votes.c.seconds, votes.c.blind, SUSPECT.label("suspect"))
    asked = (battles.c.prompt, battles.c.kind, battles.c.specialty, battles.c.arms, battles.c.propensity)
    joined = select(*said, *rest, *asked).join_from(votes, battles, votes.c.battle == battles.c.id)
    return joined.where(*live).order_by(votes.c.at, votes.c.id)


def _table(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    import pandas as pd

    result = connection.execute(query)
    names, rows = list(result.keys()), result.all()
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pd.DataFrame({name: list(column) for name, column in zip(names, columns, strict=True)}, dtype=object)


def _comparisons(said: pd.DataFrame) -> tuple[Any, tuple[Any, Any], Any]:
    """For each comparison: the row of its vote, its two places, its verdict; in the order of the votes."""
    import numpy as np

    ranked = said["ranking"].notna().to_numpy(bool)
    duels = np.flatnonzero(~ranked)
    rows, lefts, rights = [duels], [np.zeros(len(duels), int)], [np.ones(len(duels), int)]
    verdicts = [said["verdict"].to_numpy()[duels]]
    for row in np.flatnonzero(ranked):
        each = comparisons(tuple(json.loads(said["ranking"].iloc[row])))
        rows.append(np.full(len(each), row))
        lefts.append(np.array([one.left for one in each]))
        rights.append(np.array([one.right for one in each]))
        verdicts.append(np.array([str(one.verdict) for one in each], dtype=object))
    of, left, right, verdict = (np.concatenate(parts) for parts in (rows, lefts, rights, verdicts))
    order = np.argsort(of, kind="stable")
    return of[order], (left[order], right[order]), verdict[order]


def _answers(connection: Connection) -> tuple[pd.Index, Any, Any]:
    """The battles, and by battle and place: the styles and turns; whether the first answer is exact, where known."""
    import numpy as np
    import pandas as pd

    said = _table(connection, select(answers.c.battle, answers.c.place, *(answers.c[name] for name in STYLES)))
    codes, names = pd.factorize(said["battle"])
    places = int(said["place"].max()) + 1 if len(said) else 2
    spot = codes * places + said["place"].to_numpy(int)
    counted = [np.bincount(spot, said[name].to_numpy(float), len(names) * places) for name in STYLES]
    turns = np.bincount(spot, minlength=len(names) * places)
    styles = np.stack([*counted, turns], axis=1).astype(np.int64).reshape(len(names), places, len(STYLES) + 1)
    index = pd.Index(names)
    return index, styles, _exacts(connection, index, places)


def _exacts(connection: Connection, index: pd.Index, places: int) -> Any:
    """By battle and place; a text too long to be letters stays in the database."""
    import numpy as np
    import pandas as pd

    short = case((func.length(answers.c.text) <= LONGEST, answers.c.text), else_="")
    texts = select(answers.c.battle, answers.c.place, short.label("text"), battles.c.reference)
    texts = texts.join_from(answers, battles, answers.c.battle == battles.c.id)
    said = _table(connection, texts.where(answers.c.turn == 0, battles.c.options != "[]", battles.c.reference != ""))
    exacts = np.full((len(index), places), None, dtype=object)
    judged = [exact(text, reference) for text, reference in zip(said["text"], said["reference"], strict=True)]
    exacts[index.get_indexer(pd.Index(said["battle"])), said["place"].to_numpy(int)] = judged
    return exacts


def _propensities(said: pd.DataFrame) -> np.ndarray[Any, Any]:
    import numpy as np

    drawn: np.ndarray[Any, Any] = said["propensity"].to_numpy(float)
    arms = said["arms"].str.count(r"\+").to_numpy(int) + 1
    for row in np.flatnonzero(arms != 2):
        drawn[row] = pair_propensity(float(drawn[row]), int(arms[row]))
    return drawn


def _arms(said: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The places in the study's order, by vote and place."""
    return _by_value(said["arms"], lambda arms: [KNOWN["left"].index(slug) for slug in arms.split("+")], 0, 2)


def _equivalents(said: pd.DataFrame, places: int) -> np.ndarray[Any, Any]:
    """What was said of each answer, by vote and place."""
    return _by_value(said["equivalent"], json.loads, None, places)


def _by_value(column: pd.Series[Any], read: Any, blank: Any, least: int) -> np.ndarray[Any, Any]:
    """A column of lists, each of the few values read once; shorter lists are filled up, to ``least`` or more."""
    import numpy as np
    import pandas as pd

    codes, values = pd.factorize(column)
    lists = [read(value) for value in values]
    longest = max([least, *map(len, lists)])
    filled = [[*each, *[blank] * (longest - len(each))] for each in lists]
    kind = object if blank is None else np.int64
    return np.array(filled, dtype=kind).reshape(len(filled), longest)[codes]
