"""Keys and values that fit: fewer rows first, then a shorter context, then a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.base import answers
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.room import SHARE, STEP, Room, room_for, token_bytes
from medinject_demo.errors import InvalidValue, ModelError

from .laws import QUESTIONS, asked

TOKEN = 1000


def free_for(tokens: int) -> int:
    return round(tokens * TOKEN / SHARE) + 1


@pytest.mark.parametrize(
    ("places", "rows", "context"),
    [
        (64 * 4096, 64, 4096),
        (64 * 4096 - 1, 63, 4096),
        (20 * 4096, 20, 4096),
        (8 * 4096, 8, 4096),
        (8 * 4096 - 1, 8, 4096 - STEP),
        (8 * 512, 8, 512),
    ],
)
def test_rows_are_fewer_before_the_context_is_shorter(places: int, rows: int, context: int) -> None:
    room = room_for(Room(64, 4096), TOKEN, free_for(places))
    assert (room.rows, room.context) == (rows, context)
    assert bool(room.lowered) == ((rows, context) != (64, 4096))


def test_what_was_lowered_is_said_in_one_sentence() -> None:
    assert room_for(Room(64, 4096), 147_456, 8 * 10**9).lowered == (
        "64 rows of 4096 tokens need 38.7 GB, 8.0 GB are free: 11 rows of 4096 tokens are held."
    )


def test_too_little_for_eight_short_rows_is_refused_with_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"expected room for 8 rows of 512 tokens, got 0\.0 GB.*Lower max_"):
        room_for(Room(64, 4096), TOKEN, free_for(8 * 512 - 8))


def test_a_context_that_was_asked_for_is_refused_rather_than_lowered() -> None:
    with pytest.raises(ModelError, match="expected room for 8 rows of 4096 tokens"):
        room_for(Room(64, 4096), TOKEN, free_for(8 * 4096 - 8), shortest=4096)


def test_where_nobody_knows_what_is_free_all_is_taken() -> None:
    assert room_for(Room(64, 4096), TOKEN, None) == Room(64, 4096)


@given(st.integers(1, 99), st.integers(1, 9999), st.integers(0, 10**7))
def test_what_is_held_fits(rows: int, context: int, places: int) -> None:
    try:
        room = room_for(Room(rows, context), TOKEN, free_for(places))
    except ModelError:
        assert min(rows, 8) * min(context, 512) > places - STEP * min(rows, 8)
    else:
        assert room.rows * room.context <= max(places, 0) + 1
        assert room.rows <= rows
        assert room.context <= context


def test_a_tokens_bytes_are_those_of_its_keys_and_values(base: str) -> None:
    model, _ = load_base(base)
    cache = model(model.dummy_inputs["input_ids"], use_cache=True).past_key_values
    kept = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert token_bytes(model) == kept // model.dummy_inputs["input_ids"].numel()


def test_an_engine_with_little_memory_answers_with_what_fits(
    base: str, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_bytes(load_base(base)[0])
    monkeypatch.setattr("medinject_demo.engine.room.free_memory", lambda _: round(8 * 600 * token / SHARE))
    engine = LocalEngine.load(base, {ARMS[0]: folders[ARMS[0]]}, device="cpu")
    assert (engine.room.rows, engine.room.context) == (8, 512)
    assert "8 rows of 512 tokens are held" in engine.room.lowered
    assert all(answer.tokens for answer in answers(engine, [asked(QUESTIONS[0])] * 9))
    with pytest.raises(InvalidValue, match="expected fewer than 512 tokens"):
        engine.stream([asked("mal " * 600)])
    engine.close()
