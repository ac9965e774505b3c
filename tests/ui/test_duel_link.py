"""A link to a duel, as its maker makes it and a guest follows it, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.prompts import layout
from medinject_demo.ui.frame import Playground

from .test_blinding import normalised
from .test_duel import CHOICES, QUESTION, asked, prints
from .visitor import Visitor, served


@pytest.fixture
def maker(place: tuple[str, Playground], request: pytest.FixtureRequest) -> Iterator[Visitor]:
    visitor = Visitor(place[0], f"maker {request.node.name}")
    yield visitor
    visitor.close()


@pytest.fixture
def guest(place: tuple[str, Playground], request: pytest.FixtureRequest) -> Iterator[Visitor]:
    visitor = Visitor(place[0], f"guest {request.node.name}")
    yield visitor
    visitor.close()


def link_of(maker: Visitor, question: str = QUESTION) -> str:
    """What the link of a duel that is voted on and shared ends with."""
    asked(maker, question)
    maker.press("verdict-left")
    maker.press("duel-share")
    (name,) = re.findall(r'data-duel="(.*?)"', maker.value("duel-link"))
    return str(name)


def test_the_link_comes_after_the_vote_and_by_its_makers_order_alone(maker: Visitor, guest: Visitor) -> None:
    asked(maker)
    assert not maker.sees("duel-share")
    maker.press("verdict-left")
    assert maker.sees("duel-share")
    assert "data-duel" not in maker.value("duel-link")
    maker.press("duel-share")
    assert "Copier le lien" in maker.value("duel-link")
    assert not maker.sees("duel-share")
    maker.press("duel-next")
    assert not maker.sees("duel-link")


def test_a_guest_finds_the_duel_votes_and_learns_who_was_who(
    maker: Visitor, guest: Visitor, place: tuple[str, Playground]
) -> None:
    link = link_of(maker)
    guest.arrive(link)
    assert "On vous a partagé ce duel" in guest.value("duel-status")
    for part in ("duel-left", "duel-right", "duel-asked"):
        assert guest.value(part) == maker.value(part)
    assert guest.sees("ballot")
    for hidden in ("duel-revealed", "duel-regenerate", "duel-conversation", "duel-undo", "duel-share", "stop-left"):
        assert not guest.sees(hidden), hidden
    guest.press("verdict-right")
    assert prints(guest) == prints(maker) != []
    assert not guest.sees("duel-share")
    both = [live for live in place[1].store.live_votes() if live.vote.battle == link]
    assert [live.ballot.verdict for live in both] == ["left", "right"]


def test_a_guest_judges_the_reference_after_their_own_vote(maker: Visitor, guest: Visitor) -> None:
    guest.arrive(link_of(maker, layout(CHOICES)))
    assert not guest.sees("duel-judged")
    guest.press("verdict-both_bad")
    assert f">{CHOICES.reference}<" in guest.value("duel-reference")
    assert not guest.sees("duel-revealed")


def test_who_comes_back_by_the_link_finds_their_own_vote(maker: Visitor, guest: Visitor) -> None:
    link = link_of(maker)
    guest.arrive(link)
    guest.press("verdict-right")
    for visitor in (maker, guest):
        seen = visitor.value("duel-revealed")
        visitor.press("duel-next")
        visitor.arrive(link)
        assert visitor.value("duel-revealed") == seen
        assert "comme vous l’avez laissé" in visitor.value("duel-status")


@pytest.mark.parametrize("link", ["unknown", "\x00", "a" * 5000, "duel 0'; --"], ids=["unknown", "nul", "huge", "sql"])
def test_a_link_to_nothing_is_said_in_a_sentence_and_the_page_is_as_any(guest: Visitor, link: str) -> None:
    guest.arrive(link)
    assert "Aucun duel n’est visible" in guest.value("duel-status")
    assert not guest.sees("duel-area")
    asked(guest)
    assert guest.sees("ballot")


def test_a_duel_that_was_not_shared_is_said_in_the_same_sentence(
    maker: Visitor, guest: Visitor, place: tuple[str, Playground]
) -> None:
    asked(maker)
    maker.press("verdict-left")
    battle = max(place[1].store.live_votes(), key=lambda live: live.vote.at).vote.battle
    guest.arrive(battle)
    assert "Aucun duel n’est visible" in guest.value("duel-status")


def test_an_address_without_a_link_changes_nothing(guest: Visitor) -> None:
    guest.arrive("")
    assert not guest.value("duel-status")


def test_before_a_guests_vote_no_byte_tells_an_arm(tmp_path: Path) -> None:
    """All arms say the same words here: then everything sent is the same, whichever duel the link names."""
    heard, drawn = set(), set()
    with served(tmp_path) as (url, services):
        for number in range(8):
            maker, guest = Visitor(url, f"maker {number}"), Visitor(url, f"guest {number}")
            guest.arrive(link_of(maker))
            heard.add(normalised(guest.heard))
            drawn.add(max(services.store.live_votes(), key=lambda live: live.vote.at).arms)
            maker.close()
            guest.close()
    assert len(drawn) > 4
    assert len(heard) == 1
    assert b"scripted-" not in heard.pop()
