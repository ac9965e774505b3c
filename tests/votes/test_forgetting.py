"""What a person wrote is gone, from the rows and from the file; their votes go on counting, and point to nobody."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text, update

from medinject_demo.domain import Kind, Prompt, Sampling, Turn, Verdict
from medinject_demo.errors import InvalidValue
from medinject_demo.votes.database import Database
from medinject_demo.votes.forgetting import Erased, forget, prune, tried, voter_named
from medinject_demo.votes.links import Links
from medinject_demo.votes.owed import owe_examination
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.schema import battles, votes
from medinject_demo.votes.store import VoteStore

from .samples import LEFT, PROMPT, RIGHT, answer, ballot, battle
from .test_moments import FORMS

ME, OTHER = "a" * 31 + "1", "a" * 31 + "2"
SECRET = "mon oncle Hippolyte"
TYPED = Prompt(Kind.OEQ, f"Que faire pour {SECRET} ?", f"{SECRET} tousse.", reference=f"Rassurer {SECRET}.")
BUNDLED = frozenset({PROMPT.id})
COMMENT = Ballot(Verdict.LEFT, comment=f"Parle de {SECRET}.")


def named() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"{next(numbers)}"


def about(name: str, prompt: Prompt, *follow_ups: Turn, echo: str = SECRET):  # type: ignore[no-untyped-def]
    one = battle(name, LEFT, RIGHT, *follow_ups, prompt=prompt)
    return one.__class__(**{**vars(one), "answers": (answer(LEFT, f"**{echo}**"), answer(RIGHT)), "voter": ME})


FOLLOW_UP = Turn(f"Et {SECRET} ?", Sampling(seed=3), (answer(LEFT, f"- {SECRET}"), answer(RIGHT)))


@pytest.fixture
def filled(store: VoteStore) -> VoteStore:
    """My typed question, my follow-up to a bundled one, and another voter's vote on each."""
    for voter in (ME, OTHER):
        store.cast(about("typed", TYPED), voter, COMMENT if voter == ME else ballot(Verdict.RIGHT))
        store.cast(about("bundled", PROMPT, FOLLOW_UP, echo="Œdème"), voter, ballot(Verdict.LEFT))
    store.cast(about("typed", TYPED), ME, Ballot(Verdict.RIGHT, comment=f"Non, {SECRET} va bien."))
    return store


def everything(url: str) -> str:
    """Every row of every table, as text."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = ("battles", "answers", "votes", "owed")
        rows = [connection.execute(text(f"SELECT * FROM {name}")).all() for name in tables]
    engine.dispose()
    return repr(rows)


def forgotten(database: Database) -> Erased:
    return database.write(lambda connection: forget(connection, ME, BUNDLED, named()))


def test_nothing_that_a_person_wrote_is_left(filled: VoteStore, database: Database, url: str) -> None:
    assert everything(url).count(SECRET) >= 7
    database.write(lambda connection: owe_examination(connection, [ME]))
    assert forgotten(database) == Erased(votes=3, comments=2, questions=1, follow_ups=1)
    left = everything(url)
    for gone in (SECRET, ME, TYPED.id):
        assert gone not in left


def test_nothing_is_left_in_the_file(filled: VoteStore, database: Database, url: str, tmp_path: Path) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("a server's files are its own")
    before = b"".join(each.read_bytes() for each in tmp_path.glob("votes.db*"))
    assert SECRET.encode() in before
    forgotten(database)
    database.scrub()
    after = b"".join(each.read_bytes() for each in tmp_path.glob("votes.db*"))
    assert SECRET.encode() not in after
    assert ME.encode() not in after


def test_a_scrub_does_no_harm(filled: VoteStore, database: Database) -> None:
    before = filled.live_votes()
    database.scrub()
    assert filled.live_votes() == before


def test_the_votes_go_on_counting_and_point_to_nobody(filled: VoteStore, database: Database) -> None:
    before, counts = filled.live_votes(), filled.counts()
    forgotten(database)
    after = filled.live_votes()
    assert filled.counts() == counts
    assert [(each.ballot.verdict, each.styles, each.arms) for each in after] == [
        (each.ballot.verdict, each.styles, each.arms) for each in before
    ]
    assert {each.vote.voter for each in after} == {"forgotten-0", OTHER}


def test_the_votes_of_one_person_stay_those_of_one(filled: VoteStore, database: Database) -> None:
    forgotten(database)
    assert [each.version for each in filled.history("typed", "forgotten-0")] == [1, 2]


def test_a_bundled_question_and_the_answer_to_it_stay(filled: VoteStore, database: Database) -> None:
    forgotten(database)
    left = filled.battle("bundled")
    assert left is not None
    assert left.prompt == PROMPT
    assert [each.text for each in left.answers] == ["**Œdème**", "## Oui\n**non** 💪"]
    assert [(turn.message, [each.text for each in turn.answers]) for turn in left.follow_ups] == [("", ["", ""])]


def test_another_voter_is_left_as_they_were(filled: VoteStore, database: Database) -> None:
    before = filled.history("bundled", OTHER)
    forgotten(database)
    assert filled.history("bundled", OTHER) == before


def test_who_only_voted_on_anothers_battle_takes_no_text_of_it_along(filled: VoteStore, database: Database) -> None:
    gone = database.write(lambda connection: forget(connection, OTHER, BUNDLED, named()))
    assert gone == Erased(votes=2, comments=0)
    left = filled.battle("typed")
    assert left is not None
    assert left.prompt == TYPED


def test_a_trial_says_what_would_be_erased_and_erases_nothing(filled: VoteStore, database: Database, url: str) -> None:
    before = everything(url)
    told = database.write(lambda c: tried(c, lambda connection: forget(connection, ME, BUNDLED, named())))
    assert told == Erased(votes=3, comments=2, questions=1, follow_ups=1)
    assert everything(url) == before


def test_a_voter_is_named_by_the_beginning_of_their_hash(filled: VoteStore, database: Database) -> None:
    filled.cast(about("third", PROMPT), "b" * 32, ballot(Verdict.LEFT))
    for given in ("bbbbbbbb", " bbbbbbbbbb… ", "b" * 32):
        assert database.read(lambda connection, given=given: voter_named(connection, given)) == "b" * 32


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("aaaaaaa", "expected 8 or more characters of a voter's hash, got 7"),
        ("aaaaaaaa", "expected the hash of one voter, got 2 that begin so. Give more of it."),
        ("cccccccc", "got one that is not here"),
        ("%%%%%%%%", "got one that is not here"),
        ("AAAAAAAAAAAAAAAA", "got one that is not here"),
    ],
)
def test_a_name_that_fits_no_voter_or_several_is_refused(
    filled: VoteStore, database: Database, given: str, sentence: str
) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        database.read(lambda connection: voter_named(connection, given))


def test_text_from_before_a_day_is_erased_and_later_text_stays(database: Database, url: str) -> None:
    times = {"old": datetime(2026, 1, 5, tzinfo=UTC), "new": datetime(2026, 6, 5, tzinfo=UTC)}
    for name, time in times.items():
        prompt = Prompt(Kind.OEQ, f"Texte {name} ?")
        one = about(name, prompt, echo=f"écho {name}")
        VoteStore(database, now=lambda time=time: time).cast(one, ME, Ballot(Verdict.LEFT, comment=f"mot {name}"))
    before = datetime(2026, 3, 1, tzinfo=UTC)
    erased = database.write(lambda connection: prune(connection, before, BUNDLED, named()))
    assert erased == Erased(comments=1, questions=1)
    left = everything(url)
    for kind in ("Texte", "écho", "mot"):
        assert f"{kind} old" not in left
        assert f"{kind} new" in left
    assert ME in left
    assert not database.write(lambda connection: prune(connection, before, BUNDLED, named())).anything


@pytest.mark.parametrize("form", FORMS)
def test_a_time_of_another_form_from_an_earlier_import_is_as_old_as_what_it_names(
    store: VoteStore, database: Database, form: str
) -> None:
    store.cast(about("old", TYPED, echo="écho"), ME, Ballot(Verdict.LEFT, comment="un mot"))
    stored_at(database, form)
    for days, erased in ((0, Erased()), (1, Erased(comments=1, questions=1))):
        before = datetime(2026, 3, 6 + days, tzinfo=UTC)
        assert database.write(lambda connection, before=before: prune(connection, before, BUNDLED, named())) == erased


@pytest.mark.parametrize("table", ["votes", "battles"])
def test_a_time_that_names_no_moment_is_refused_before_anything_is_erased(
    store: VoteStore, database: Database, url: str, table: str
) -> None:
    store.cast(about("old", TYPED, echo="écho"), ME, Ballot(Verdict.LEFT, comment="un mot"))
    stored_at(database, "2026-03-06T09:05:00Z")
    stored_at(database, "2026-03-06", table)
    before = everything(url)
    with pytest.raises(
        InvalidValue, match=rf"^{table} \S+, at: expected a date and a time of day .* got '2026-03-06'\."
    ):
        database.write(lambda connection: prune(connection, datetime(2027, 1, 1, tzinfo=UTC), BUNDLED, named()))
    assert everything(url) == before


def stored_at(database: Database, text: str, *tables: str) -> None:
    """Put a time as an earlier import could store it."""
    for name in tables or ("votes", "battles"):
        table = {"votes": votes, "battles": battles}[name]
        database.write(lambda connection, table=table: connection.execute(update(table).values(at=text)))


def test_a_bundled_question_without_follow_ups_is_not_pruned(store: VoteStore, database: Database) -> None:
    store.cast(about("bundled", PROMPT, echo="Œdème"), ME, ballot(Verdict.LEFT))
    assert not database.write(
        lambda connection: prune(connection, datetime(2999, 1, 1, tzinfo=UTC), BUNDLED, named())
    ).anything


def test_no_link_opens_what_was_erased(filled: VoteStore, database: Database) -> None:
    links = Links(database)
    for battle_id in ("typed", "bundled"):
        links.share(battle_id)
    forgotten(database)
    assert not any(links.shared(each) for each in ("typed", "bundled"))
