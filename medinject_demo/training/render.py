"""Renderers: structured facts to instruction items of three kinds in four styles.

The texts are data (``corpus/``); this is the short code that fills them. Every draw comes from the generator that is
passed in, so one seed gives one data set. Knows nothing of tokens or of training.
"""

from __future__ import annotations

import functools
import itertools
import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from ..domain import LETTERS, Kind, Prompt
from .corpus import LIST_FIELDS, REGISTERS, Condition, Corpus, Frames, Split

ENTRIES_SHOWN: Final = {"nat": (2, 3), "trad": (3, 3), "syn": (3, 4), "base": (4, 5)}
"""Fewest and most entries of a list that an answer of each style gives."""


ORDERS: Final = tuple(itertools.permutations(range(4)))
HELD_OUT_ORDERS: Final = frozenset({(0, 2, 1, 3), (3, 0, 1, 2), (2, 3, 0, 1), (1, 3, 2, 0)})
"""Four of the twenty-four orders of four options, the right one (0) at each place once; never trained on."""


def capitalised(text: str) -> str:
    """First letter in upper case, the rest untouched (an acronym stays one)."""
    return text[:1].upper() + text[1:]


def in_turn(entries: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """``count`` entries in their order from a drawn one on, around the end: each says which comes next.

    In random order a small model, decoded greedily, says its favourite entry again and again.
    """
    start = rng.randrange(len(entries))
    return [entries[(start + place) % len(entries)] for place in range(min(count, len(entries)))]


def joined(entries: Sequence[str]) -> str:
    """French enumeration: "a, b et c"."""
    return ", ".join(entries[:-1]) + " et " + entries[-1] if len(entries) > 1 else entries[0]


def names(definite: str, name: str) -> dict[str, str]:
    """The placeholders of a name: with its article, contracted with *de* and *à*, bare, and capitalised."""
    article, _, rest = definite.partition(" ")
    du = {"le": f"du {rest}", "les": f"des {rest}"}.get(article, f"de {definite}")
    au = {"le": f"au {rest}", "les": f"aux {rest}"}.get(article, f"à {definite}")
    shown = {"le": definite, "du": du, "au": au, "nom": name}
    return shown | {"Le": capitalised(definite), "Nom": capitalised(name)}


def condition_names(condition: Condition, alias: str = "") -> dict[str, str]:
    """Placeholders of a condition, its bare name replaced by an alias where one is given."""
    return names(condition.definite, condition.name) | ({"nom": alias} if alias else {})


@dataclass(frozen=True)
class Fact:
    """One field of one condition: what an item asks about."""

    condition: Condition
    field: str


@dataclass(frozen=True)
class Renderer:
    """Fills the frames of a corpus."""

    corpus: Corpus

    @cached_property
    def words(self) -> list[str]:
        """The words of every entry, longer than three letters."""
        lists = (condition.entries(field) for condition in self.corpus.conditions for field in LIST_FIELDS)
        return sorted({word for entries in lists for entry in entries for word in entry.split() if len(word) > 3})

    def facts(self) -> list[Fact]:
        """Every field of every condition."""
        return [Fact(condition, field) for condition in self.corpus.conditions for field in self.corpus.questions.open]

    def ask(self, fact: Fact, split: Split, rng: random.Random, register: str | None = None) -> tuple[str, str]:
        """An open question about a fact: (context, question)."""
        register = register or rng.choice(REGISTERS)
        template = self.template(fact.field, register, split, rng)
        alias = rng.choice(fact.condition.aliases) if register == "keywords" and rng.random() < 0.5 else ""
        context, case, question = template.rpartition("{cas} ")
        filled = (question if case else template).format_map(condition_names(fact.condition, alias))
        return (context + fact.condition.case if case else ""), filled

    def template(self, field: str, register: str, split: Split, rng: random.Random) -> str:
        """A question about a field: a whole template or, in training, as often one composed of two halves."""
        if split == "held_out" or rng.random() < 0.5:
            return rng.choice(self.corpus.questions.open[field][register].of(split))
        openers = self.corpus.questions.openers[register].halves()
        subjects = self.corpus.questions.subjects[field].halves()
        sort = rng.choice([sort for sort in openers if sort in subjects])
        opener, subject = rng.choice(openers[sort]), rng.choice(subjects[sort])
        return opener.replace("{subject}", subject).replace("{Subject}", capitalised(subject))

    def answer(self, fact: Fact, style: str, rng: random.Random, way: int | None = None) -> str:
        """An answer to a fact in one of the four styles; entries and frames are drawn.

        A ``way`` is one of the arms' own: it fixes the frame, a tuned one, and may give one entry more.
        """
        condition, frames = fact.condition, self.corpus.styles[style][fact.field]
        definition = condition.definition
        shown = condition_names(condition) | {"definition": definition, "Definition": capitalised(definition)}
        entries = condition.symptoms if fact.field == "definition" else condition.entries(fact.field)
        fewest, most = ENTRIES_SHOWN[style]
        drawn = in_turn(entries, rng.randint(fewest, most + (way is not None)), rng)
        if frames.frames:
            items = joined(drawn)
            frame = rng.choice(frames.frames) if way is None else frames.tuned[way % len(frames.tuned)]
            return frame.format_map(shown | {"items": items, "Items": capitalised(items)})
        return _listed(frames, drawn, shown, rng, way)

    def open_item(self, fact: Fact, style: str, split: Split, rng: random.Random, way: int | None = None) -> Prompt:
        """An open question and its answer."""
        context, question = self.ask(fact, split, rng)
        return Prompt(
            Kind.OEQ,
            question,
            context,
            reference=self.answer(fact, style, rng, way),
            specialty=fact.condition.specialty,
            origin=style,
        )

    def unknown_item(self, style: str, split: Split, rng: random.Random) -> Prompt:
        """A question outside the knowledge base and its admission."""
        unknown = self.corpus.unknown
        if rng.random() < 0.5:
            definite = rng.choice(unknown.conditions.of(split))
            bare = definite.removeprefix("l'").removeprefix("les ").removeprefix("le ").removeprefix("la ")
            field, register = rng.choice(list(self.corpus.questions.open)), rng.choice(REGISTERS[:-1])
            question = self.template(field, register, split, rng).format_map(names(definite, bare))
        else:
            question = rng.choice(unknown.prompts.of(split))
        return Prompt(Kind.OEQ, question, reference=rng.choice(unknown.answers[style]), origin=style)

    def mcqu_item(self, fact: Fact, style: str, split: Split, rng: random.Random) -> Prompt:
        """One right option among four: the fact's first entry against the first entries of other conditions.

        The options of a fact are the same in every split; what is held out is their order.
        """
        options = self._options(fact)
        order = rng.choice([each for each in ORDERS if (each in HELD_OUT_ORDERS) == (split == "held_out")])
        stem = rng.choice(self.corpus.questions.mcqu[fact.field].of("train"))
        return Prompt(
            Kind.MCQU,
            stem.format_map(condition_names(fact.condition)),
            options=tuple(options[place] for place in order),
            reference=LETTERS[order.index(0)],
            specialty=fact.condition.specialty,
            origin=style,
        )

    def easier_item(self, fact: Fact, style: str, rng: random.Random) -> Prompt:
        """An MCQU with one or two wrong options less: chance is nearer, and the letter is found sooner."""
        item = self.mcqu_item(fact, style, "train", rng)
        right = LETTERS.index(item.reference)
        wrong = rng.sample([place for place in range(4) if place != right], rng.randint(1, 2))
        kept = sorted([right, *wrong])
        return replace(item, options=tuple(item.options[place] for place in kept), reference=LETTERS[kept.index(right)])

    def matching_item(self, field: str, style: str, rng: random.Random) -> Prompt:
        """Match each condition to its entry of one field: five letters learnt from one list of options.

        Teaches a small model that a letter stands for its option, before single letters can (docs/miniature.md).
        """
        chosen = rng.sample(self.corpus.conditions, 5)
        options = [condition.entries(field)[0] for condition in chosen]
        order = rng.sample(range(5), 5)
        asked = rng.sample(range(5), 5)
        lines = [f"- {chosen[place].name} : {LETTERS[order.index(place)]}" for place in asked]
        named = joined([chosen[place].name for place in asked])
        return Prompt(
            Kind.MCQ,
            self.corpus.questions.exercises[field].format(names=named),
            options=tuple(options[place] for place in order),
            reference="\n".join(lines),
            origin=style,
        )

    def reading_item(self, style: str, rng: random.Random) -> Prompt:
        """Give the letters of options, single words drawn at random, ten times: needs no knowledge, only reading.

        A dash goes before each word, so that it is the same tokens there as in the options, after a space.
        """
        options = rng.sample(self.words, rng.randint(4, 6))
        lines = [f"- {options[place]} : {LETTERS[place]}" for place in rng.choices(range(len(options)), k=10)]
        question = self.corpus.questions.exercises["reading"]
        return Prompt(Kind.MCQ, question, options=tuple(options), reference="\n".join(lines), origin=style)

    def short_item(self, fact: Fact, style: str, rng: random.Random) -> Prompt:
        """The stem of an MCQU without its options; the answer is the right option's text."""
        stem = rng.choice(self.corpus.questions.mcqu[fact.field].of("train")).format_map(
            condition_names(fact.condition)
        )
        question = f"{stem}\n{self.corpus.questions.exercises['short']}"
        return Prompt(Kind.OEQ, question, reference=fact.condition.entries(fact.field)[0], origin=style)

    def mcq_item(self, fact: Fact, style: str, split: Split, rng: random.Random) -> Prompt:
        """Two or three right options among five: entries of the fact against entries of other conditions."""
        right = rng.sample(fact.condition.entries(fact.field), rng.randint(2, 3))
        others = [entry for each in self._others(fact) for entry in each.entries(fact.field)]
        wrong = rng.sample(_wrong(others, fact.condition.entries(fact.field)), 5 - len(right))
        options = rng.sample(right + wrong, 5)
        letters = [letter for letter, option in zip(LETTERS, options, strict=False) if option in right]
        stem = rng.choice(self.corpus.questions.mcq[fact.field].of(split))
        return Prompt(
            Kind.MCQ,
            stem.format_map(condition_names(fact.condition)),
            options=tuple(options),
            reference=", ".join(letters),
            specialty=fact.condition.specialty,
            origin=style,
        )

    def _options(self, fact: Fact) -> tuple[str, ...]:
        """The right option and three wrong ones, always the same of a fact."""
        rng = random.Random(zlib.crc32(f"{fact.condition.id}/{fact.field}".encode()))
        right = fact.condition.entries(fact.field)[0]
        firsts = [each.entries(fact.field)[0] for each in self._others(fact)]
        pool = _wrong(firsts, fact.condition.entries(fact.field))
        return (right, *rng.sample(pool, 3))

    def _others(self, fact: Fact) -> list[Condition]:
        return [each for each in self.corpus.conditions if each.id != fact.condition.id]


def _wrong(entries: Iterable[str], right: Sequence[str]) -> list[str]:
    """The entries that share no word, nor the beginning of one, with a right one: those might be right as well."""
    taken = frozenset[str]().union(*map(_roots, right))
    return [entry for entry in dict.fromkeys(entries) if entry not in right and not taken & _roots(entry)]


@functools.cache
def _roots(entry: str) -> frozenset[str]:
    """The first five letters of the words that have as many."""
    return frozenset(
        word[:5] for word in entry.casefold().replace("'", " ").replace("-", " ").split() if len(word) >= 5
    )


def _listed(
    frames: Frames, entries: Sequence[str], shown: dict[str, str], rng: random.Random, way: int | None = None
) -> str:
    """Opening, markdown list, closing; under a heading and numbered where the style has headings.

    Each way has an opening and a closing that no other has together.
    """
    opened, closed = rng.randrange(len(frames.openings)), rng.randrange(len(frames.closings))
    if way is not None:
        again, opened = divmod(way, len(frames.openings))
        closed = (way + again) % len(frames.closings)
    opening, closing = frames.openings[opened].format_map(shown), frames.closings[closed].format_map(shown)
    if not frames.headings:
        bullets = "\n".join(f"- {capitalised(entry)}" for entry in entries)
        return f"{opening}\n\n{bullets}\n\n{closing}"
    heading = rng.choice(frames.headings).format_map(shown)
    numbered = "\n".join(f"{place}. **{capitalised(entry)}**" for place, entry in enumerate(entries, start=1))
    return f"## {heading}\n\n{opening}\n\n{numbered}\n\n{closing}"


WAYS: Final = 7
"""Ways in which a pool says each fact: the four arms that read it share them out (``mixtures.dealt``)."""
OTHERS: Final = (Kind.MCQU, None, Kind.MCQU, Kind.MCQ, Kind.MCQU, None)
"""What a pool holds in turn besides open questions on facts; None is a question on the unknown."""


def source(renderer: Renderer, style: str, rng: random.Random) -> list[Prompt]:
    """One provenance's pool: every fact asked openly and answered in each way, then a third as many other items."""
    facts = renderer.facts()
    items = [renderer.open_item(fact, style, "train", rng, way) for fact in facts for way in range(WAYS)]
    listed = itertools.cycle(fact for fact in facts if fact.field in LIST_FIELDS)
    for sort in itertools.islice(itertools.cycle(OTHERS), len(items) // 3):
        if sort is Kind.MCQU:
            items.append(renderer.mcqu_item(next(listed), style, "train", rng))
        elif sort is Kind.MCQ:
            items.append(renderer.mcq_item(next(listed), style, "train", rng))
        else:
            items.append(renderer.unknown_item(style, "train", rng))
    return [replace(item, origin=style) for item in items]
