"""The tab of the study: what was compared and how, what answers here, what becomes of votes, how to cite.

The texts are in ``words/study.toml``, markdown of ours with links of ours; nothing of a model or a visitor is shown.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator
from typing import Final

import gradio as gr
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from ..adapters.registry import STUDIED, Profile, profile
from ..domain import BASE, MIXTURES, STUDY_SIZE, Mixture, Provenance
from .frame import Frame, Playground
from .stacks import FLOWS, Row, stacked
from .texts import name, number, say

SHARES: Final = ("absent", "whole", "half", "third")
"""Key of the share of each source in a mixture of none, one, two or three."""
COLUMNS: Final = ("arm", *Provenance, "items", "published")
"""Of the table of mixtures, as the style sheet calls them."""
CITATION: Final = """\
@misc{belmadani2026medinjectionfr,
  title         = {MedInjection-FR: Exploring the Role of Native, Synthetic, and Translated Data
                   in Biomedical Instruction Tuning},
  author        = {Belmadani, Ikram and El Khettari, Oumaima and Constant dit Beaufils, Pacôme
                   and Favre, Benoit and Dufour, Richard},
  year          = {2026},
  eprint        = {2603.06905},
  archivePrefix = {arXiv},
  primaryClass  = {cs.CL},
  url           = {https://arxiv.org/abs/2603.06905}
}"""
"""As arXiv gives the title and the authors."""


def build(frame: Frame) -> None:
    """Lay the tab out."""
    wording = frame.wording
    wording.make(
        gr.HTML, {"value": lambda lang: page(lang, frame.behind)}, elem_id="study", js_on_load=None, padding=False
    )
    voter = wording.make(
        gr.Textbox, {"label": "study.voter"}, value="", interactive=False, buttons=["copy"], elem_id="voter"
    )
    frame.tab.select(
        lambda session: frame.behind.arena.voter(session) if session else "",
        frame.session,
        voter,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    wording.make(
        gr.Textbox,
        {"label": "study.citation"},
        value=CITATION,
        lines=CITATION.count("\n") + 1,
        interactive=False,
        buttons=["copy"],
        elem_id="citation",
    )


def page(lang: str, behind: Playground) -> str:
    """The whole text; the citation comes last, beside the field that holds it."""
    sections = (
        ("question", _prose(say(lang, "study.question"))),
        ("mixtures", _prose(say(lang, "study.mixtures")) + _mixtures(lang)),
        ("known", _prose(say(lang, "study.known"))),
        ("here", _here(lang, behind)),
        ("limits", _prose(say(lang, "study.limits"))),
        ("votes", _prose(say(lang, "study.votes"))),
        ("languages", _prose(say(lang, "study.languages"))),
        ("cite", _prose(say(lang, "study.cite"))),
    )
    return "".join(f"<section><h2>{say(lang, f'study.{key}_title')}</h2>{text}</section>" for key, text in sections)


def _here(lang: str, behind: Playground) -> str:
    if behind.miniature:
        return _prose(say(lang, "study.here_miniature")) + _prose(installed(lang, profile(STUDIED)))
    arms = ", ".join(name(lang, mixture) for mixture in behind.engine.mixtures)
    told = _prose(say(lang, "study.here_model", title=behind.title, arms=arms))
    return told + _prose(installed(lang, profile(STUDIED)))


def installed(lang: str, studied: Profile) -> str:
    """Which arms of the study are on this machine, and the one command that installs the others; markdown of ours."""
    if not studied.missing:
        return say(lang, "study.installed_all")
    there = ", ".join(name(lang, mixture) for mixture in studied.installed if mixture != BASE)
    missing = ", ".join(name(lang, mixture) for mixture in studied.missing)
    key = "study.installed_some" if there else "study.installed_none"
    return say(lang, key, there=there, missing=missing, command=studied.install)


def _mixtures(lang: str) -> str:
    """The factorial as a table: the share of each source in each arm, its items, where it is published."""
    sources = [name(lang, Mixture.of([each])) for each in Provenance]
    heads = [say(lang, "study.arm"), *sources, say(lang, "study.items"), say(lang, "study.published")]
    rows = [Row("", tuple(_cells(lang, mixture))) for mixture in MIXTURES]
    shown = {key: html.escape(head) for key, head in zip(COLUMNS, heads, strict=True)}
    return stacked(lang, FLOWS, shown, rows, region=say(lang, "study.mixtures_region"))


def _cells(lang: str, mixture: Mixture) -> Iterator[str]:
    yield html.escape(name(lang, mixture))
    for level in mixture.levels:
        yield say(lang, f"study.{SHARES[level * sum(mixture.levels)]}")
    yield number(lang, STUDY_SIZE) if mixture.provenances else say(lang, "study.untrained")
    yield _prose(_published(mixture), inline=True)


def _published(mixture: Mixture) -> str:
    """Where the study publishes an arm, as the registry says it."""
    studied = profile(STUDIED)
    repository = studied.base if mixture == BASE else studied.arms[mixture].merged
    return f"[{repository}](https://huggingface.co/{repository})"


def _prose(text: str, *, inline: bool = False) -> str:
    """Markdown of ours as HTML."""
    return str(_parser().renderInline(text) if inline else _parser().render(text))


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.add_render_rule("link_open", _open_elsewhere)
    return parser


def _open_elsewhere(renderer: RendererHTML, tokens: list[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    """A link opens beside the page: a duel under way would be lost with it."""
    tokens[place].attrSet("target", "_blank")
    tokens[place].attrSet("rel", "noopener")
    return renderer.renderToken(tokens, place, options, env)
