"""The engine of other machines against a real vLLM, beside the engine of this one. ``make test-vllm`` runs these.

The last test kills the server.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from medinject_demo.domain import Answer, FinishReason, Kind, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Finished, Request, answers
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.remote import RemoteEngine, lora_modules
from medinject_demo.errors import InvalidValue, ModelError
from medinject_demo.prompts import load_prompts, messages
from tests.engine.laws import EngineLaws, asked

from .conftest import CONTEXT, CONVERTED, MINI, Vllm

pytestmark = pytest.mark.vllm

SHORT = [prompt for prompt in load_prompts() if len(prompt.question) < 300]
PROMPTS = [each for kind in Kind for each in [prompt for prompt in SHORT if prompt.kind is kind][:3]]
LONG = Sampling(max_new_tokens=64)


def everything(engine: RemoteEngine, sampling: Sampling = LONG) -> list[Request]:
    return [Request(messages(prompt), arm, sampling) for prompt in PROMPTS for arm in engine.mixtures]


class TestRemoteEngineOnVllm(EngineLaws):
    pass


Say = Callable[[str, object], None]
"""Keeps a figure for the report."""


@pytest.fixture(scope="module")
def there(engine: RemoteEngine) -> list[Answer]:
    """What the server answers to everything."""
    said = everything(engine)
    faults = [event.error for event in engine.stream(said) if isinstance(event, Finished) and event.error]
    assert faults == []
    return answers(engine, said)


@pytest.fixture(scope="module")
def locally(engine: RemoteEngine, here: LocalEngine) -> list[Answer]:
    """What this machine answers to the same, with the same adapters."""
    return answers(here, everything(engine))


def test_greedy_answers_are_those_of_this_machine(
    there: list[Answer], locally: list[Answer], record_property: Say
) -> None:
    assert [(each.text, each.finish_reason) for each in there] == [(each.text, each.finish_reason) for each in locally]
    assert len({each.text for each in there}) > len(PROMPTS)  # or nothing would tell the arms apart
    record_property("answers compared", len(there))


def test_an_arm_converted_at_full_rank_answers_as_the_dora_adapter_it_was(
    engine: RemoteEngine, there: list[Answer], record_property: Say
) -> None:
    folders = {arm: MINI.arms[arm].folder for arm in CONVERTED}
    dora = LocalEngine.load(MINI.base, folders, device="cpu", max_context=CONTEXT)
    assert [each.text for each in there] == [each.text for each in answers(dora, everything(engine))]
    dora.close()
    record_property("answers compared", len(there))


def test_penalties_draw_the_same_greedy_answer(engine: RemoteEngine, here: LocalEngine) -> None:
    requests = everything(engine, Sampling(max_new_tokens=30, repetition_penalty=1.3))[:9]
    assert [each.text for each in answers(engine, requests)] == [each.text for each in answers(here, requests)]


def test_tokens_are_the_servers_count_which_has_the_end_among_them(there: list[Answer], locally: list[Answer]) -> None:
    assert {each.finish_reason for each in there} == {FinishReason.STOP, FinishReason.LENGTH}
    for one, other in zip(there, locally, strict=True):
        assert one.tokens == other.tokens + (one.finish_reason is FinishReason.STOP)


def test_letters_weigh_what_they_weigh_on_this_machine(
    engine: RemoteEngine, here: LocalEngine, record_property: Say
) -> None:
    requests = [ChoiceRequest(messages(prompt), arm, "ABCDE") for prompt in PROMPTS for arm in engine.mixtures]
    weighed = zip(engine.option_probabilities(requests), here.option_probabilities(requests), strict=True)
    apart = max(abs(there[letter] - locally[letter]) for there, locally in weighed for letter in "ABCDE")
    record_property("greatest difference of a probability", f"{apart:.1e}")
    assert apart < 1e-4


def test_a_conversation_longer_than_the_context_is_refused_with_the_servers_count(engine: RemoteEngine) -> None:
    for arm in engine.mixtures:
        with pytest.raises(InvalidValue, match=rf"expected fewer than {CONTEXT} tokens.*Shorten it"):
            engine.stream([asked("mal " * 600, arm)])


def test_an_answer_that_reaches_the_context_ends_by_length(engine: RemoteEngine) -> None:
    (answer,) = answers(engine, [asked("mal " * 250, sampling=Sampling(max_new_tokens=2000))])
    assert answer.finish_reason in (FinishReason.LENGTH, FinishReason.STOP)
    assert 0 < answer.tokens < CONTEXT - 250


def test_the_fingerprints_are_the_same_at_the_next_start(engine: RemoteEngine, vllm: Vllm) -> None:
    again = RemoteEngine.connect({arm: Endpoint(vllm.url, (arm.slug,)) for arm in engine.mixtures})
    assert [again.fingerprint(arm) for arm in engine.mixtures] == [engine.fingerprint(arm) for arm in engine.mixtures]
    again.close()


def test_two_arms_under_one_adapter_are_refused(vllm: Vllm) -> None:
    names = {CONVERTED[0]: ("nat",), CONVERTED[1]: ("nat",)}
    with pytest.raises(ModelError, match="expected answers that differ, got one model, 'nat'"):
        RemoteEngine.connect({arm: Endpoint(vllm.url, models) for arm, models in names.items()})


def test_dora_is_refused_before_a_server_sees_it_and_by_vllm_itself(vllm: Vllm) -> None:
    folder = MINI.arms[CONVERTED[0]].folder
    with pytest.raises(ModelError, match="arm nat: expected plain LoRA, got DoRA in "):
        lora_modules({CONVERTED[0]: folder})
    with pytest.raises(urllib.error.HTTPError) as refused:
        load(vllm, "dora", folder)
    assert "does not yet support DoRA" in refused.value.read().decode()


def load(vllm: Vllm, name: str, folder: Path) -> None:
    """Have the server load an adapter while it runs."""
    body = json.dumps({"lora_name": name, "lora_path": str(folder)}).encode()
    request = urllib.request.Request(f"{vllm.url}/load_lora_adapter", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60):
        pass


def test_a_server_killed_in_mid_answer_ends_its_rows_with_an_error(engine: RemoteEngine, vllm: Vllm) -> None:
    events = engine.stream([asked("mal " * 20, arm, Sampling(max_new_tokens=400)) for arm in engine.mixtures])
    said = [next(events)]
    vllm.kill()
    said += events
    ends = [event for event in said if isinstance(event, Finished)]
    assert {end.row for end in ends} == {0, 1, 2}
    broken = [end for end in ends if end.reason is FinishReason.ERROR]
    assert broken
    assert all(end.error.startswith(vllm.url) for end in broken)
    assert not any("http" in event.text for event in said if isinstance(event, Delta))
    (late,) = answers(engine, [asked("Bonjour")])
    assert (late.text, late.finish_reason) == ("", FinishReason.ERROR)
