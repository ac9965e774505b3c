"""Before the vote, no byte that a browser is sent tells an arm; after it, the reveal is right."""

from __future__ import annotations

import re
from pathlib import Path

from medinject_demo.domain import MIXTURES

from .test_duel import asked, prints
from .visitor import Visitor, served

CHANGING = (
    "event_id|app_id|session_hash|time_in_queue|duration|average_duration|rank_eta|eta|queue_eta|date|content-length"
    "|avg_event_process_time|avg_event_concurrent_process_time|queue_size|active_jobs|rank|cache_duration|avg_time"
)
"""Fields of Gradio's messages that differ between any two runs: times, ports, identifiers."""


def normalised(heard: list[bytes]) -> bytes:
    """What was heard, without what differs between any two runs."""
    text = b"\n".join(heard).decode()
    text = re.sub(r'data: \{"msg":"heartbeat"\}\n*', "", text)
    text = re.sub(rf'"({CHANGING})"(: ?|, )("[^"]*"|-?[\d.]+(e-?\d+)?|null)', "", text)
    text = re.sub(r'data-battle=\\"[^"]*\\"', "", text)  # a number of this duel's own
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", "", text).encode()


def played(visitor: Visitor) -> bytes:
    """A duel of two turns, the second answered twice; everything heard until then."""
    asked(visitor)
    visitor.write("duel-message", "Et chez l'enfant ?")
    visitor.press("duel-send")
    visitor.press("duel-regenerate")
    return normalised(visitor.heard)


def test_before_the_vote_no_byte_tells_an_arm_and_after_it_the_reveal_is_right(tmp_path: Path) -> None:
    """All arms say the same words here: then everything sent is the same, whichever arms were drawn."""
    heard, drawn = set(), set()
    with served(tmp_path) as (url, services):
        for number in range(8):
            visitor = Visitor(url, f"blind {number}")
            heard.add(played(visitor))
            visitor.press("verdict-left")
            vote = max(services.store.live_votes(), key=lambda live: live.vote.at)
            battle = services.store.battle(vote.vote.battle)
            assert battle is not None
            assert prints(visitor) == [f"scripted-{arm}"[:16] for arm in battle.arms]
            drawn.add(battle.arms)
            visitor.close()
    assert len(drawn) > 4, "several pairs must be drawn"
    assert len(heard) == 1
    assert b"scripted-" not in heard.pop(), "a fingerprint before the vote"


def test_after_the_page_has_come_nothing_names_any_arm_until_the_vote(tmp_path: Path) -> None:
    with served(tmp_path) as (url, _):
        visitor = Visitor(url, "blind")
        visitor.heard.clear()
        played(visitor)
        said = b"".join(visitor.heard).decode()
        for mixture in MIXTURES:
            assert not re.search(rf'["\s-]{mixture.slug}["\s]', said)
        for word in ("natif", "traduit", "synthétique", "native", "translated", "synthetic", "mixture"):
            assert word not in said.casefold()
        visitor.close()


def test_the_check_would_see_an_arm_that_is_told() -> None:
    assert normalised([b'{"data": "nat"}']) != normalised([b'{"data": "syn"}'])
    assert normalised([b'{"event_id":"a1","duration":0.25}']) == normalised([b'{"event_id":"b2","duration":1e-3}'])
