from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medinject_demo.adapters.registry import ADAPTER_FILES, profile
from medinject_demo.domain import ARMS, MIXTURES
from medinject_demo.training.mixtures import shares
from medinject_demo.ui import study
from medinject_demo.ui.texts import catalogue, name, say

from .visitor import Visitor, served

LANGUAGES = ["fr", "en"]


def behind(*, miniature: bool) -> Any:
    engine = SimpleNamespace(mixtures=MIXTURES[:3])
    return SimpleNamespace(miniature=miniature, title="Qwen3-4B & <Co>", engine=engine)


class Page(HTMLParser):
    """Links, and the cells of the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs))
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.cell = True

    def handle_endtag(self, tag: str) -> None:
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.cell:
            self.rows[-1][-1] += data


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("miniature", [True, False])
def test_every_text_of_the_study_is_shown(lang: str, miniature: bool) -> None:
    text = study.page(lang, behind(miniature=miniature))
    for key in ("question", "mixtures", "known", "here", "limits", "votes", "languages", "cite"):
        assert f"<h2>{say(lang, f'study.{key}_title')}</h2>" in text
    assert "{" not in text
    assert "**" not in text


def test_the_table_is_the_complete_factorial_in_equal_sizes(lang: str) -> None:
    rows = Page(study.page(lang, behind(miniature=True))).rows[1:]
    assert [row[0] for row in rows] == [name(lang, mixture) for mixture in MIXTURES]
    assert {re.sub(r"\D", "", row[4]) for row in rows[1:]} == {"33493"}
    assert [[cell != "–" for cell in row[1:4]] for row in rows] == [list(map(bool, each.levels)) for each in MIXTURES]


def test_a_mixture_takes_equal_parts_as_the_training_does() -> None:
    parts = {"tout": 1, "1/2": 2, "1/3": 3}
    for mixture, row in zip(ARMS, Page(study.page("fr", behind(miniature=True))).rows[2:], strict=True):
        shown = [parts[cell] for cell in row[1:4] if cell != "–"]
        assert set(shown) == {len(mixture.provenances)}
        assert max(shares(mixture, 33_493).values()) - min(shares(mixture, 33_493).values()) <= 1


def test_each_arm_is_linked_where_the_registry_says_it_is_published() -> None:
    links = {each["href"] for each in Page(study.page("fr", behind(miniature=True))).links}
    for arm in profile("qwen3-4b").arms.values():
        assert f"https://huggingface.co/{arm.merged}" in links


def test_links_open_beside_the_page_and_lead_to_the_study_alone(lang: str) -> None:
    links = Page(study.page(lang, behind(miniature=False))).links
    assert len(links) == 8 + 1 + 4
    for link in links:
        assert (link["rel"], link["target"]) == ("noopener", "_blank")
        assert str(link["href"]).startswith(("https://arxiv.org/abs/2603.06905", "https://huggingface.co/"))


def test_the_miniature_is_said_to_have_no_medical_value_and_to_differ_from_the_study() -> None:
    text = study.page("fr", behind(miniature=True))
    assert "<strong>aucune valeur médicale</strong>" in text
    assert "aussi été entraînés sur des questions ouvertes" in text
    assert "aucune valeur médicale" not in study.page("fr", behind(miniature=False))


def test_the_model_that_answers_is_named_with_its_arms_and_as_text() -> None:
    text = study.page("en", behind(miniature=False))
    assert "<strong>Qwen3-4B &amp; &lt;Co&gt;</strong>" in text
    assert "Base model, Native, Translated" in text


def test_what_is_kept_of_votes_and_what_is_not_is_said(lang: str) -> None:
    text = say(lang, "study.votes")
    for said in {"fr": ("salé", "Ni adresse", "commentaire"), "en": ("salted", "No address", "comment")}[lang]:
        assert said in text


def test_no_text_of_the_study_states_a_score() -> None:
    for key, texts in catalogue().items():
        if key.startswith("study."):
            assert not any(re.search(r"\d\s*%|\b0[.,]\d", text) for text in texts.values()), key


def test_the_citation_is_bibtex_whose_braces_close() -> None:
    assert study.CITATION.count("{") == study.CITATION.count("}")
    assert study.CITATION.startswith("@misc{")
    assert "eprint        = {2603.06905}" in study.CITATION


def test_what_is_installed_of_the_study_is_said_with_the_command_for_the_rest(lang: str, tmp_path: Path) -> None:
    studied = profile("qwen3-4b")
    arms = {mixture: replace(arm, folder=tmp_path / mixture.slug) for mixture, arm in studied.arms.items()}
    studied = replace(studied, arms=arms)
    command = "`python -m medinject_demo adapters recover --missing`"
    assert command in study.installed(lang, studied)
    for count, mixture in enumerate(ARMS, 1):
        arms[mixture].folder.mkdir()
        for each in ADAPTER_FILES:
            (arms[mixture].folder / each).touch()
        text = study.installed(lang, studied)
        assert (command in text) == (count < len(ARMS))
        assert (name(lang, mixture) in text) == (count < len(ARMS))


def test_how_to_be_forgotten_is_said_with_the_identifier_that_it_takes(lang: str, tmp_path: Path) -> None:
    assert {"fr": "identifiant affiché plus bas", "en": "identifier shown below"}[lang] in say(lang, "study.votes")
    with served(tmp_path) as (url, services):
        visitor = Visitor(url, "mon jeton")
        assert not visitor.value("voter")
        visitor.press("tab-study", "select")
        assert visitor.value("voter") == services.arena.voter("mon jeton")
        visitor.close()
