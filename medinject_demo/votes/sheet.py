"""A vote with its battle as one flat row: the form in which votes leave a database and come back into another.

The same fields in every file, in the shards of a data set and in the documentation. A row that comes from elsewhere is
checked here against itself; whether it agrees with what is stored is for ``exchange``. Knows no file and no SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from ..domain import Answer, FinishReason, Kind, Mixture, Prompt, Sampling, Verdict
from ..errors import InvalidData, InvalidValue
from ..prompts import sentence_of
from .moments import moment_of, text_of
from .records import Criterion, Profile, Style
from .schema import answers as answers_table
from .schema import battles as battles_table
from .schema import votes as votes_table

Row = dict[str, Any]
FEWEST, MOST = 2, 8
"""Answers of a battle."""

_Name = Annotated[str, Field(min_length=1, max_length=100)]
MOST_COUNTED: Final = 2**31 - 1
"""The greatest number of a column of whole numbers, on every database."""

_Count = Annotated[int, Field(ge=0, le=MOST_COUNTED)]
_Rank = Annotated[int, Field(ge=1, le=MOST)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SheetAnswer(BaseModel):
    """One answer of a turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mixture: str = Field(description="slug of the arm")
    fingerprint: str = Field(description="hash of the weights that answered")
    text: str = Field(description="what was answered; empty where it was erased")
    finish_reason: FinishReason
    tokens: _Count
    seconds: _Seconds
    words: _Count
    headers: _Count
    bold: _Count
    lists: _Count
    emoji: _Count
    cached: int = Field(0, ge=0, le=1, description="1 where it was kept from an earlier battle")


class SheetTurn(BaseModel):
    """One message and its answers in display order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str = Field(description="what the voter wrote; empty in the first turn, which is the prompt")
    sampling: dict[str, int | float] = Field(description="how tokens were drawn, with the seed")
    answers: tuple[SheetAnswer, ...] = Field(min_length=FEWEST, max_length=MOST)


class Sheet(BaseModel):
    """A vote, then its battle. Columns of this table; ``docs`` and cards list them from here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vote: _Name = Field(description="id of this vote")
    battle: _Name = Field(description="id of the battle voted on")
    voter: _Name = Field(description="salted hash of the voter")
    version: int = Field(
        ge=1, le=MOST_COUNTED, description="1, and one more for each change: the highest is the live one"
    )
    at: str = Field(description="when it was stored, ISO 8601 in UTC; an import takes any offset")
    verdict: Verdict | None = Field(description="left, right, both_good, both_bad or unsure; empty: withdrawn")
    ranking: tuple[_Rank, ...] | None = Field(
        None, description="rank of each answer in display order, equal where tied"
    )
    criteria: tuple[frozenset[Criterion], ...] = Field(description="reasons given of each answer")
    comment: str = Field(max_length=10_000, description="free text of the voter")
    profile: Profile = Field(description="what the voter declares to be")
    equivalent: tuple[bool | None, ...] = Field(description="whether each answer is equivalent to the reference")
    seconds: _Seconds | None = Field(description="from the end of the answers to the vote")
    blind: bool = Field(
        description="false after the reveal, or where an arm's answer to the prompt had been seen by name"
    )
    erased: bool = Field(False, description="true where free text of this vote was erased")
    doubts: tuple[_Name, ...] = Field((), description="reasons to leave the vote out; `cleared` takes them back")
    owner: str = Field(max_length=100, description="salted hash of whom the battle was made for")
    begun: str = Field(description="when the battle was first voted on, as `at`")
    battle_erased: bool = Field(False, description="true where free text of the battle was erased")
    prompt: _Name = Field(description="content hash of the prompt")
    kind: Kind = Field(description="mcqu, mcq or oeq")
    question: str
    context: str
    options: tuple[str, ...]
    reference: str
    specialty: str
    origin: str
    arms: tuple[str, ...] = Field(min_length=FEWEST, max_length=MOST, description="slugs in display order")
    propensity: float = Field(gt=0, le=1, allow_inf_nan=False, description="probability with which the arms were drawn")
    turns: tuple[SheetTurn, ...] = Field(min_length=1, description="each turn: message, sampling, answers")

    @field_validator("at", "begun")
    @classmethod
    def _in_utc(cls, text: str, of: ValidationInfo) -> str:
        try:
            return text_of(moment_of(text, str(of.field_name)))
        except InvalidValue as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _holds_together(self) -> Sheet:
        try:
            arms = tuple(map(Mixture.parse, self.arms))
            prompt = Prompt(self.kind, self.question, self.context, self.options, self.reference)
            _require(len(set(arms)) == len(arms), "arms", "each once", ", ".join(self.arms))
            _require(self.battle_erased or prompt.id == self.prompt, "prompt", f"the hash {prompt.id}", self.prompt)
            for name, sides in (("criteria", self.criteria), ("equivalent", self.equivalent)):
                said = any(side not in (None, frozenset()) for side in sides)
                _require(len(sides) == len(arms) or not said, name, f"{len(arms)}, one an answer", f"{len(sides)}")
            for number, turn in enumerate(self.turns):
                self._check_turn(number, turn)
            self._check_ranking()
        except InvalidValue as error:
            raise ValueError(str(error)) from error
        return self

    def _check_turn(self, number: int, turn: SheetTurn) -> None:
        try:
            Sampling(**turn.sampling)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError(f"turn {number}, sampling: {error}") from error
        shown = tuple(each.mixture for each in turn.answers)
        _require(shown == self.arms, f"turn {number}", f"answers of {'+'.join(self.arms)}", "+".join(shown))
        for each in turn.answers:
            read = Answer(Mixture.parse(each.mixture), "", each.text, each.finish_reason, each.tokens, each.seconds)
            counted = Style.of(read)
            said = Style(each.words, each.headers, each.bold, each.lists, each.emoji)
            erased = self.battle_erased and not each.text
            _require(erased or said == counted, f"turn {number}, {each.mixture}", f"{counted}", f"{said}")

    def _check_ranking(self) -> None:
        """Two answers get a verdict, more a ranking; a withdrawal has neither."""
        if self.ranking is not None:
            good = len(self.ranking) == len(self.arms) and min(self.ranking) == 1
            _require(good, "ranking", "a rank from 1 for each answer", str(self.ranking))
            _require(self.verdict is None, "verdict", "none beside a ranking", str(self.verdict))
            _require(len(self.arms) > FEWEST, "ranking", f"a verdict on {FEWEST} answers", "a ranking")
        elif self.verdict is not None:
            _require(len(self.arms) == FEWEST, "verdict", f"a ranking of {len(self.arms)} answers", "a verdict")


def _require(holds: bool, what: str, expected: str, got: str) -> None:
    if not holds:
        raise InvalidValue.of(what, expected=expected, got=got)


FIELDS: Final = tuple(Sheet.model_fields)
"""Columns in their order."""
_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "votes": {"id": "vote"},
    "battles": {"id": "battle", "voter": "owner", "at": "begun", "erased": "battle_erased"},
}
_NESTED: Final = frozenset({"criteria", "equivalent", "options", "ranking"})
"""Kept as JSON in a column of text."""
_FLAGS: Final = frozenset({"blind", "erased"})
_KINDS: Final = {name: type(value) for name, value in asdict(Sampling()).items()}
"""A temperature of 0 is 0.0, so that what is stored is the same text as before."""


@dataclass(frozen=True)
class Record:
    """A vote with its battle, as rows of the tables; ``answers`` by turn and place."""

    vote: Mapping[str, Any]
    battle: Mapping[str, Any]
    answers: tuple[Mapping[str, Any], ...]
    where: str = ""
    """The file and the line that it was read from."""
    latest: bool = True
    """False where the same voter said something else of the battle later."""
    doubts: tuple[str, ...] = ()
    """Reasons of the suspicions beside the vote, in their order."""


def row_of(record: Record) -> Row:
    """A record as a flat row."""
    row: Row = dict.fromkeys(FIELDS)
    for table, values in (("votes", record.vote), ("battles", record.battle)):
        row |= {_RENAMED[table].get(name, name): _given(name, value) for name, value in values.items()}
    turns: dict[int, Row] = {}
    for each in record.answers:
        sampling = json.loads(each["sampling"])
        turn = turns.setdefault(each["turn"], {"message": each["message"], "sampling": sampling, "answers": []})
        turn["answers"].append({name: each[name] for name in SheetAnswer.model_fields if name in each})
    return row | {"doubts": list(record.doubts), "turns": list(turns.values())}


def record_of(row: Mapping[str, Any], where: str) -> Record:
    """A row from elsewhere as a record, checked.

    Raises:
        InvalidData: the row does not hold together; the sentence begins with ``where``.
    """
    sheet = _read(row, where)
    if sheet.ranking is not None and "ranking" not in votes_table.c:
        raise InvalidData.of(where, expected="a verdict", got="a ranking", remedy="Update this program.")
    said = _filled(sheet.model_dump(mode="json"))
    vote = {each.name: _kept(each.name, said[_RENAMED["votes"].get(each.name, each.name)]) for each in votes_table.c}
    names = [each.name for each in battles_table.c]
    battle = {name: _kept(name, said[_RENAMED["battles"].get(name, name)]) for name in names}
    doubts = tuple(sorted(set(map(_clean, said["doubts"]))))
    return Record(vote, battle, tuple(_answer_rows(said)), where, doubts=doubts)


def _read(row: Mapping[str, Any], where: str) -> Sheet:
    try:
        try:
            return Sheet.model_validate(row)
        except ValidationError as error:
            raise InvalidData(f"{where}: {sentence_of(error)}") from error
    except (RecursionError, OverflowError) as error:  # a list in a list, and so on; a number that no float is
        expected, got = "a row of a vote", f"one nested too deep or with too great a number ({error})"
        raise InvalidData.of(where, expected=expected, got=got) from error


def _filled(said: Row) -> Row:
    """A vote of whose answers nothing is said beside, in as many places as there are answers."""
    if said["verdict"] is None and said["ranking"] is None:
        return said
    blank: Mapping[str, Any] = {"criteria": [], "equivalent": None}
    short = (name for name in blank if len(said[name]) != len(said["arms"]))
    return said | {name: [blank[name]] * len(said["arms"]) for name in short}


def _answer_rows(said: Row) -> Iterable[Row]:
    columns = {each.name for each in answers_table.c}
    for number, turn in enumerate(said["turns"]):
        sampling = {name: _KINDS[name](value) for name, value in asdict(Sampling(**turn["sampling"])).items()}
        head = {"battle": said["battle"], "turn": number, "message": _clean(turn["message"])}
        head |= {"sampling": _json(sampling), "seed": sampling["seed"]}
        for place, answer in enumerate(turn["answers"]):
            values = {name: _kept(name, value) for name, value in answer.items() if name in columns}
            yield head | {"place": place} | values


def _given(name: str, value: Any) -> Any:
    """A column's value, as a row gives it."""
    if name in _NESTED:
        return None if value is None else json.loads(value)
    if name in _FLAGS:
        return bool(value)
    return value.split("+") if name == "arms" else value


def _kept(name: str, value: Any) -> Any:
    """A row's value, as its column keeps it."""
    if name == "criteria":
        value = [sorted(side) for side in value]
    if name in _NESTED:
        return None if value is None else _json(value)
    if name in _FLAGS:
        return int(value)
    if name == "arms":
        return "+".join(value)
    return _clean(value) if isinstance(value, str) else value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL."""
    return text.replace("\0", "\ufffd")
