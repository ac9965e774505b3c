from __future__ import annotations

import html
import json
import re
import urllib.parse
from html.parser import HTMLParser

import pytest

from medinject_demo.domain import MIXTURES, FinishReason, Kind, Mixture, Prompt, Sampling
from medinject_demo.prompts import Row
from medinject_demo.ui import compare_view as view
from medinject_demo.ui.compare_documents import links, markdown, record
from medinject_demo.ui.comparison import Card, Comparison
from medinject_demo.ui.letters import Letters
from medinject_demo.ui.texts import catalogue, name

EVIL = "<script>alert(1)</script> [ici](javascript:alert(1)) <img src=x onerror=alert(1)> \u202etxt\u202c **gras** \x07"
PROMPT = Prompt(Kind.MCQU, "Laquelle ?", options=("une <b>", "deux"), reference="B")


def card(slug: str, text: str = "Une réponse", reason: FinishReason | None = FinishReason.STOP) -> Card:
    return Card(Mixture.parse(slug), f"print-of-{slug}", text, reason, 3, 1.25)


def compared(*cards: Card, prompt: Prompt = PROMPT) -> Comparison:
    return Comparison("Modèle <x>", "2026-11-22T12:00:00+00:00", prompt, Sampling(), cards)


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("reason", [None, *FinishReason])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_what_a_model_wrote_does_nothing(lang: str, reason: FinishReason | None) -> None:
    shown = view.cards(lang, compared(card("base", "Bonjour"), card("nat", EVIL, reason)))
    assert not {tag for tag, _ in Tags(shown).found} & {"script", "img", "a", "iframe", "style", "link"}
    assert not any(key.startswith("on") for _, attributes in Tags(shown).found for key in attributes)
    assert "\u202e" not in shown
    assert "\x07" not in shown


def test_every_text_of_the_tab_is_there_in_both_languages() -> None:
    ours = {key: said for key, said in catalogue().items() if key.startswith("compare.")}
    for key, said in ours.items():
        fields = [set(re.findall(r"{(\w+)}", text)) for text in said.values()]
        assert fields[0] == fields[1], key
        assert all(said.values()), key


@pytest.mark.parametrize("count", range(2, 9))
def test_there_is_a_card_for_each_arm_in_the_order_chosen(count: int) -> None:
    arms = [arm.slug for arm in MIXTURES[::-1][:count]]
    shown = view.cards("fr", compared(*map(card, arms)))
    assert re.findall(r'<article class="card" data-arm="([\w-]+)"', shown) == arms
    assert f'data-count="{count}"' in shown


def test_a_card_tells_the_arm_its_provenances_lengths_seconds_end_and_fingerprint() -> None:
    shown = view.cards("fr", compared(card("nat-syn", "trois mots ici"), card("base", "un", FinishReason.LENGTH)))
    first, second = shown.split("<article")[1:]
    assert "Natif + synthétique" in first
    assert "<li>natif</li><li>synthétique</li>" in first
    assert "3 mots · 3 jetons · 1,2\u00a0s · terminée" in first
    assert "empreinte print-of" in first
    assert 'title="print-of-nat-syn"' in first
    assert "sans affinage" in second
    assert "1 mot ·" in second
    assert "coupée à la longueur maximale" in second


def test_an_arm_that_failed_says_so_and_the_others_are_readable() -> None:
    shown = view.cards("fr", compared(card("base"), card("trad", "", FinishReason.ERROR)))
    first, second = shown.split("<article")[1:]
    assert "Une réponse" in first
    assert "Cette réponse n’a pas pu être produite." in second
    assert "mot" not in re.sub(r"<[^>]*>", "", second).replace("Données", "")


def test_words_are_marked_against_the_first_once_all_have_ended() -> None:
    first, second = card("base", "un deux"), card("nat", "un trois <b>")
    assert "<mark>" not in view.cards("fr", compared(first, card("nat", "un trois", None)))
    shown = view.cards("fr", compared(first, second))
    assert re.findall(r"<mark><span class=\"unseen\">diffère\s: </span>(.*?)</mark>", shown) == ["trois &lt;b&gt;"]
    assert "<mark>" not in shown.split("<article")[1]


def test_nothing_is_marked_against_an_answer_that_failed() -> None:
    assert "<mark>" not in view.cards("fr", compared(card("base", "", FinishReason.ERROR), card("nat")))


def test_marks_change_no_word_of_the_plain_text() -> None:
    shown = view.cards("fr", compared(card("base", "a b"), card("nat", "  a\n\n c <d>\t e")))
    (plain,) = re.findall(r'<div class="plain" dir="auto">(.*?)</div>', shown.split("<article")[2], re.DOTALL)
    kept = re.sub(r'<span class="unseen">.*?</span>', "", plain)
    assert html.unescape(re.sub(r"</?mark>", "", kept)) == "  a\n\n c <d>\t e"


def test_the_status_counts_what_has_ended_what_was_stopped_and_what_failed() -> None:
    live = view.status("fr", compared(card("base"), card("nat", "", None)))
    assert 'class="live"' in live
    assert "1 sur 2" in live
    ended = compared(card("base", "", FinishReason.CANCELLED), card("nat", "", FinishReason.ERROR))
    assert 'class="live"' not in view.status("en", ended)
    assert "Stopped before the end: 1. Failures: 1." in view.status("en", ended)
    assert "Modèle &lt;x&gt;" in view.status("fr", ended)


def test_arms_that_are_not_installed_are_shown_as_missing() -> None:
    shown = view.grid(MIXTURES[:5], "fr")
    assert re.findall(r'class="absent arm-([\w-]+)"', shown) == ["nat-syn", "trad-syn", "all"]
    assert "Non installés ici" in shown
    assert "absent" not in view.grid(MIXTURES, "fr")


@pytest.mark.parametrize("slugs", [[], ["nat"], ["nat", "base"]])
def test_the_choice_of_arms_is_told_in_a_sentence(slugs: list[str]) -> None:
    said = view.chosen("fr", slugs)
    assert ("au moins" in said) == (len(slugs) < 2)
    assert not slugs[1:] or "Natif" in said


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_json_document_holds_everything_and_reads_back(lang: str) -> None:
    cards = (card("base", EVIL), card("nat", "", FinishReason.ERROR), card("all", "été 💪", FinishReason.CANCELLED))
    weights = {each.mixture: (0.25, 0.75) for each in cards}
    comparison = compared(*cards)
    shown = links(lang, comparison, Letters(PROMPT, weights))
    held = [attributes for tag, attributes in Tags(shown).found if tag == "a"]
    said = json.loads(urllib.parse.unquote(str(held[0]["href"]).partition(",")[2]))
    assert said == record(lang, comparison, Letters(PROMPT, weights))
    assert [each["text"] for each in said["answers"]] == [each.text for each in cards]
    assert [each["fingerprint"] for each in said["answers"]] == [each.fingerprint for each in cards]
    assert Sampling(**said["sampling"]) == Sampling()
    assert Row.model_validate(said["prompt"]).prompt() == PROMPT
    assert said["letters"]["probabilities"]["all"] == {"A": 0.25, "B": 0.75}
    assert said["notice"]
    assert str(held[0]["download"]).endswith("-20261122T120000.json")


def test_the_markdown_document_shows_texts_as_they_were_written() -> None:
    text = "Avant\n````\n# Un titre\n````\n" + EVIL
    written = markdown("fr", compared(card("base", text), card("nat", "", FinishReason.ERROR)))
    assert f"`````text\n{text}\n`````" in written
    assert "aucune réponse n’est un avis médical" in written
    assert "Cette réponse n’a pas pu être produite." in written
    assert "2026-11-22 12:00:00 UTC" in written
    assert all(name("fr", Mixture.parse(slug)) in written for slug in ("base", "nat"))


def test_there_are_no_documents_before_all_answers_have_ended() -> None:
    assert links("fr", None) == ""
    assert links("fr", compared(card("base"), card("nat", "", None))) == ""


def test_letters_of_another_question_are_in_no_document() -> None:
    other = Letters(Prompt(Kind.MCQU, "Autre ?", options=("a", "b")), {Mixture.parse("base"): (0.5, 0.5)})
    assert "letters" not in record("fr", compared(card("base"), card("nat")), other)
