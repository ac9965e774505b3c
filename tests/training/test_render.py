from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import LETTERS, Kind, Prompt, Provenance
from medinject_demo.prompts import Row, row_of
from medinject_demo.training.corpus import LIST_FIELDS, REGISTERS, STYLES, Corpus, Split
from medinject_demo.training.curriculum import base_prompts
from medinject_demo.training.data import Pools
from medinject_demo.training.exam import held_out_choices, held_out_questions, held_out_unknown
from medinject_demo.training.mini import arm_blends, provenance_pools
from medinject_demo.training.mini_recipe import MiniatureRecipe
from medinject_demo.training.mixtures import data_fingerprint
from medinject_demo.training.render import (
    ENTRIES_SHOWN,
    HELD_OUT_ORDERS,
    ORDERS,
    WAYS,
    Fact,
    Renderer,
    capitalised,
    condition_names,
    in_turn,
    joined,
    names,
)

word = st.text("abcéœ -", min_size=1)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def trained(renderer: Renderer, pools: Pools) -> list[Prompt]:
    """What the base and the arms read."""
    base = base_prompts(renderer, MiniatureRecipe(base_rounds=2))
    return [*base, *itertools.chain.from_iterable(pools.values())]


def asked(prompt: Prompt) -> str:
    return re.sub(r"[\W_]+", " ", f"{prompt.context} {prompt.question}".casefold()).strip()


def every_question(corpus: Corpus, split: Split) -> Iterator[str]:
    """Every open question that can be asked about every condition."""
    for condition, registers in itertools.product(corpus.conditions, corpus.questions.open.values()):
        for register in REGISTERS:
            aliases = ("", *condition.aliases) if register == "keywords" else ("",)
            for alias, template in itertools.product(aliases, registers[register].of(split)):
                question = template.format_map(condition_names(condition, alias) | {"cas": condition.case})
                yield asked(Prompt(Kind.OEQ, question))


@given(word)
def test_le_contracts(noun: str) -> None:
    shown = names(f"le {noun}", noun)
    assert (shown["du"], shown["au"]) == (f"du {noun}", f"au {noun}")


@given(word)
def test_les_contracts(noun: str) -> None:
    shown = names(f"les {noun}", noun)
    assert (shown["du"], shown["au"]) == (f"des {noun}", f"aux {noun}")


@given(st.sampled_from(["la ", "l'"]), word)
def test_la_and_the_elided_article_do_not_contract(article: str, noun: str) -> None:
    shown = names(article + noun, noun)
    assert (shown["du"], shown["au"]) == (f"de {article}{noun}", f"à {article}{noun}")


def test_no_condition_is_said_with_an_uncontracted_article(corpus: Corpus) -> None:
    for condition in corpus.conditions:
        shown = condition_names(condition)
        assert not re.match(r"(de|à) les? ", shown["du"] + "\n" + shown["au"], re.MULTILINE)


def test_an_alias_takes_the_place_of_the_bare_name_only(corpus: Corpus) -> None:
    condition = corpus.conditions[0]
    assert condition_names(condition, "IDM") == condition_names(condition) | {"nom": "IDM"}


@given(st.text())
def test_a_capital_changes_the_first_letter_only(text: str) -> None:
    assert capitalised(text) == text[:1].upper() + text[1:]


def test_an_acronym_stays_one() -> None:
    assert capitalised("éCG") == "ÉCG"
    assert capitalised("ECG") == "ECG"


@pytest.mark.parametrize(
    ("entries", "said"), [(["a"], "a"), (["a", "b"], "a et b"), (["a", "b", "c"], "a, b et c")], ids=str
)
def test_a_french_enumeration_closes_with_et(entries: list[str], said: str) -> None:
    assert joined(entries) == said


@given(seeds, st.integers(1, 7), st.integers(1, 9))
def test_each_entry_is_followed_by_the_next_around_the_end(seed: int, length: int, count: int) -> None:
    entries = [str(number) for number in range(length)]
    drawn = in_turn(entries, count, random.Random(seed))
    assert len(drawn) == min(count, length) == len(set(drawn))
    assert all((int(first) + 1) % length == int(second) for first, second in itertools.pairwise(drawn))


def test_every_field_of_every_condition_is_a_fact(renderer: Renderer) -> None:
    facts = renderer.facts()
    assert len(set(facts)) == len(facts) == 8 * len(renderer.corpus.conditions)


@given(seeds, st.sampled_from(STYLES))
def test_an_answer_gives_as_many_entries_as_its_style(renderer: Renderer, seed: int, style: str) -> None:
    rng = random.Random(seed)
    fact = Fact(rng.choice(renderer.corpus.conditions), rng.choice(LIST_FIELDS))
    entries = fact.condition.entries(fact.field)
    fewest, most = ENTRIES_SHOWN[style]
    said = renderer.answer(fact, style, rng).casefold()
    shown = sum(entry.casefold() in said for entry in entries)
    assert shown >= min(fewest, len(entries))
    assert shown <= most or any(a in b for a, b in itertools.permutations(entries, 2))


@given(seeds, st.sampled_from(["nat", "trad"]))
def test_only_the_arms_read_tuned_frames(renderer: Renderer, seed: int, style: str) -> None:
    fact = Fact(renderer.corpus.conditions[0], "causes")
    plain, tuned = (
        {renderer.answer(fact, style, random.Random(seed + n), way) for n in range(60) for way in ways}
        for ways in ([None], range(WAYS))
    )
    starts = {text.partition("{")[0] for text in renderer.corpus.styles[style]["causes"].tuned} - {""}
    assert not any(answer.startswith(start) for answer in plain for start in starts)
    assert any(answer.startswith(start) for answer in tuned for start in starts)


@given(seeds, st.sampled_from(["nat", "trad", "syn"]))
def test_no_two_ways_say_a_fact_alike(renderer: Renderer, seed: int, style: str) -> None:
    rng = random.Random(seed)
    fact = Fact(rng.choice(renderer.corpus.conditions), rng.choice([*LIST_FIELDS, "definition"]))
    said = [{renderer.answer(fact, style, rng, way) for _ in range(20)} for way in range(WAYS)]
    assert len(set.union(*said)) == sum(map(len, said))


@given(seeds, st.sampled_from(STYLES), st.sampled_from(["train", "held_out"]))
def test_every_item_is_a_row_of_the_study(renderer: Renderer, seed: int, style: str, split: Split) -> None:
    rng = random.Random(seed)
    fact = Fact(rng.choice(renderer.corpus.conditions), rng.choice(LIST_FIELDS))
    items = [
        renderer.open_item(fact, style, split, rng),
        renderer.unknown_item(style, split, rng),
        renderer.mcqu_item(fact, style, split, rng),
        renderer.mcq_item(fact, style, split, rng),
    ]
    for item in items:
        assert Row.model_validate(row_of(item)).prompt() == item
        assert item.origin == style
        assert not re.search(r"[{}]", item.question + item.context + item.reference)


def right_letters(item: Prompt, fact: Fact) -> set[str]:
    """The letters of the options that the corpus lists for the fact."""
    right = fact.condition.entries(fact.field)
    return {letter for letter, option in zip(LETTERS, item.options, strict=False) if option in right}


def test_the_only_right_option_of_an_mcqu_is_its_reference(renderer: Renderer) -> None:
    for fact, seed in itertools.product(renderer.facts(), range(3)):
        if fact.field in LIST_FIELDS:
            item = renderer.mcqu_item(fact, "nat", "train", random.Random(seed))
            assert right_letters(item, fact) == {item.reference}


@given(seeds)
def test_an_easier_item_keeps_the_right_option_and_one_or_two_wrong_ones(renderer: Renderer, seed: int) -> None:
    rng = random.Random(seed)
    fact = Fact(rng.choice(renderer.corpus.conditions), rng.choice(LIST_FIELDS))
    item = renderer.easier_item(fact, "base", rng)
    assert len(item.options) in (2, 3)
    assert right_letters(item, fact) == {item.reference}


@given(seeds)
def test_every_line_of_an_exercise_gives_the_letter_of_its_option(renderer: Renderer, seed: int) -> None:
    rng = random.Random(seed)
    reading = renderer.reading_item("base", rng)
    for line in reading.reference.splitlines():
        word, _, letter = line.removeprefix("- ").partition(" : ")
        assert reading.options[LETTERS.index(letter)] == word
    field = rng.choice(LIST_FIELDS)
    matching = renderer.matching_item(field, "base", rng)
    first = {condition.name: condition.entries(field)[0] for condition in renderer.corpus.conditions}
    for line in matching.reference.splitlines():
        name, _, letter = line.removeprefix("- ").partition(" : ")
        assert matching.options[LETTERS.index(letter)] == first[name]


def test_every_right_option_of_an_mcq_is_in_its_reference(renderer: Renderer) -> None:
    for fact, seed in itertools.product(renderer.facts(), range(3)):
        if fact.field in LIST_FIELDS:
            item = renderer.mcq_item(fact, "nat", "train", random.Random(seed))
            assert item.right_letters == right_letters(item, fact)


def test_options_are_distinct(trained: list[Prompt]) -> None:
    assert all(len(set(item.options)) == len(item.options) for item in trained)


def test_the_right_letter_falls_on_every_place(trained: list[Prompt]) -> None:
    places = [item.reference for item in trained if item.kind is Kind.MCQU]
    assert set(places) == set("ABCD")
    assert max(map(places.count, "ABCD")) < 0.35 * len(places)


def test_the_held_out_orders_put_the_right_option_at_each_place_once() -> None:
    assert sorted(order.index(0) for order in HELD_OUT_ORDERS) == [0, 1, 2, 3]
    assert set(ORDERS) > HELD_OUT_ORDERS


def test_no_held_out_question_is_trained_on(corpus: Corpus, renderer: Renderer, trained: list[Prompt]) -> None:
    held_out = {*every_question(corpus, "held_out"), *(asked(each) for each in held_out_unknown(renderer, 7))}
    held_out |= {asked(each.prompt) for each in held_out_questions(renderer, 7)}
    assert not held_out & {asked(item) for item in trained if item.kind is Kind.OEQ}


def test_no_held_out_question_can_be_asked_in_training(corpus: Corpus) -> None:
    assert not {*every_question(corpus, "held_out")} & {*every_question(corpus, "train")}


def test_no_held_out_option_order_is_trained_on(renderer: Renderer, trained: list[Prompt]) -> None:
    held_out = {choice.options for seed in range(5) for choice in held_out_choices(renderer, seed)}
    assert not held_out & {item.options for item in trained}


def test_what_is_held_out_is_the_order_not_the_options(renderer: Renderer) -> None:
    fact = Fact(renderer.corpus.conditions[0], "causes")
    splits: tuple[Split, ...] = ("train", "held_out")
    sets = [
        {frozenset(renderer.mcqu_item(fact, "nat", split, random.Random(seed)).options) for seed in range(200)}
        for split in splits
    ]
    assert sets[0] == sets[1]


def test_every_arm_reads_every_fact_in_each_of_its_styles_and_no_row_is_read_twice(
    renderer: Renderer, pools: Pools
) -> None:
    facts = len(renderer.facts())
    said = {
        provenance: {id(row): number // WAYS for number, row in enumerate(pool[: facts * WAYS])}
        for provenance, pool in pools.items()
    }
    blends = arm_blends(pools, MiniatureRecipe())
    for each in blends:
        for provenance in each.mixture.provenances:
            read = {said[provenance][id(row)] for row in each.prompts if id(row) in said[provenance]}
            assert read == set(range(facts))
    rows = [id(row) for each in blends for row in each.prompts]
    assert len(set(rows)) == len(rows) == sum(map(len, pools.values()))


def test_each_pool_holds_the_three_kinds_of_its_own_style(pools: Pools) -> None:
    for provenance in Provenance:
        assert {item.kind for item in pools[provenance]} == set(Kind)
        assert {item.origin for item in pools[provenance]} == {provenance.value}


def test_one_seed_gives_one_set_of_pools(renderer: Renderer) -> None:
    recipe = MiniatureRecipe()
    first, again = provenance_pools(renderer, recipe), provenance_pools(Renderer(Corpus.load()), recipe)
    other = provenance_pools(renderer, replace(recipe, seed=43))
    for provenance in Provenance:
        fingerprint = data_fingerprint(first[provenance])
        assert fingerprint == data_fingerprint(again[provenance])
        assert fingerprint != data_fingerprint(other[provenance])
