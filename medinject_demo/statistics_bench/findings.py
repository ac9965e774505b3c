"""What was measured, as Markdown and as a document; each figure beside its goal, met or not. Measures nothing."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from .duels import TARGET, Saved
from .oracles import Agreement
from .recovery import HIGH, LOW, Found, Recovery
from .speed import Timed

APART: float = 1e-6
"""Logits: how far evalica may be."""
ROUNDED: float = 0.005
"""Logits: how far a textbook's two decimals may be."""
NAMES = {
    "naive": "controlled, each vote a voter of its own",
    "by voter": "controlled, each vote a prompt of its own",
}
"""How ways of fitting are called that are not by their own name."""
BIAS: float = 0.25
"""Of the spread of the estimates: a bias up to this costs an interval of 95 % at most half a point of coverage."""


@dataclass(frozen=True)
class Findings:
    """Everything measured, and where."""

    recoveries: tuple[Recovery, ...]
    agreements: tuple[Agreement, ...]
    textbook: Agreement
    times: tuple[Timed, ...]
    savings: tuple[Saved, ...]
    runs: int
    machine: str

    def as_json(self) -> str:
        """Every figure, for a machine."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def as_markdown(self, command: str) -> str:
        """The part of the document, written by ``command``."""
        parts = [
            f"Written by `{command}`. Machine: {self.machine}.",
            "### Planted truths, found again\n\n" + _text_of_recovery(self),
            "### The raw board, votes cast over and over, and prompts that come again\n\n" + _text_of_failures(self),
            "### Other people's answers\n\n" + _text_of_oracles(self),
            "### Time\n\n" + _text_of_times(self),
            "### Votes that the pairing saves\n\n" + _text_of_savings(self),
        ]
        return "\n\n".join(parts)


def _text_of_recovery(findings: Findings) -> str:
    rows = [
        (
            each.crowd,
            f"{each.coverages[1]:.1%} ({each.coverages[0]:.1%} to {each.coverages[2]:.1%})",
            _met(each.coverages[0] >= LOW and each.coverages[2] <= HIGH),
            f"{each.worst_bias.name}: {_bias(each.worst_bias)}",
            f"{abs(each.worst_bias.bias) / each.worst_bias.deviation:.2f}",
            _met(abs(each.worst_bias.bias) <= BIAS * each.worst_bias.deviation),
        )
        for each in findings.recoveries
        if each.way == "controlled"
    ]
    head = (
        *("who voted", f"intervals that hold the truth, goal {LOW:.0%} to {HIGH:.0%}", "met"),
        *("largest bias beside its spread, in logits", f"over the spread, goal {BIAS} at most", "met"),
    )
    first = next(each for each in findings.recoveries if each.way == "controlled")
    details = [
        (each.name, f"{each.truth:+.2f}", _bias(each), f"{each.deviation:.3f}", f"{each.coverage:.1%}")
        for each in first.found
    ]
    return (
        f"{findings.runs:,} runs of each crowd. Planted: strengths of the eight arms, the left's gain, the worth of "
        "length and of lists, ties, and tastes of each voter that make 30 % of a vote's variance; where votes are on "
        "so many prompts, each arm has one answer to each of them, and how good it is makes 30 % too. The base writes "
        "240 words, the others 12 to 23. Sixteen numbers are looked for: seven differences from the base, the effects "
        "of fine-tuning, of each provenance and of each two, the position, the length. Coverage is the mean over "
        "these, with the least and the greatest; that of one number has a Monte-Carlo error of "
        f"{(0.95 * 0.05 / findings.runs) ** 0.5:.1%}."
        f"\n\n{_table(head, rows)}\n\nEach number of the first crowd:\n\n"
        f"{_table(('number', 'planted', 'bias and its Monte-Carlo error', 'spread', 'coverage'), details)}"
    )


def _text_of_failures(findings: Findings) -> str:
    rows = []
    for crowd in dict.fromkeys(each.crowd for each in findings.recoveries):
        ways = {each.way: each for each in findings.recoveries if each.crowd == crowd}
        controlled = ways.pop("controlled")
        for way in (*ways.values(), controlled):
            differences = [found for found in way.found if found.name.endswith("less base")]
            rows.append(
                (
                    crowd,
                    NAMES.get(way.way, way.way),
                    f"{sum(each.coverage for each in differences) / len(differences):.1%}",
                    f"{sum(each.wrong_sign for each in differences) / len(differences):.1%}",
                    f"{max(abs(each.bias) for each in differences):.2f}",
                )
            )
    head = ("who voted", "model", "intervals that hold the truth", "on the wrong side of 0", "largest bias, in logits")
    return (
        "The seven differences from the base. The raw board sees a base that wins because it writes more; with length "
        "and markdown held equal the planted order comes back: the planted worth of length follows the logarithm, as "
        "the model has it. The lengths of the base and of the others hardly overlap, so that votes could not tell if "
        "it did not, and the base and its style cannot be told apart; the board says so where it is the case. Where "
        "each vote is cast five times, intervals that take votes for independent are too narrow, and where prompts "
        f"come again those by voter alone; those by voter and prompt hold.\n\n{_table(head, rows)}"
    )


def _text_of_oracles(findings: Findings) -> str:
    rows = [
        (f"evalica, {each.name}", str(each.arms), str(each.comparisons), f"{each.apart:.1e}", f"{APART:.0e}",
         _met(each.apart <= APART))
        for each in findings.agreements
    ]  # fmt: skip
    book = findings.textbook
    rows.append(
        (book.name, str(book.arms), str(book.comparisons), f"{book.apart:.4f}", f"{ROUNDED} (two decimals are printed)",
         _met(book.apart <= ROUNDED))
    )  # fmt: skip
    head = ("oracle", "arms", "comparisons", "largest difference of strength differences", "goal", "met")
    return f"No prior, no covariates.\n\n{_table(head, rows)}"


def _text_of_times(findings: Findings) -> str:
    rows = [
        (
            each.what,
            f"{each.votes:,}",
            f"{each.seconds:.2f} s ({min(each.samples):.2f} to {max(each.samples):.2f})",
            f"{statistics.median(each.processor):.2f} s",
            f"{each.load:.1f}",
            f"{each.goal:g} s" if each.goal else "none set",
            _met(each.seconds <= each.goal) if each.goal else "",
        )
        for each in findings.times
    ]
    head = ("what", "votes", "median (least to most)", "of the processor", "load of the machine", "goal", "met")
    return (
        "All of the board is both models, the cells, the provenance effects on three outcomes, and the biases; twenty "
        "votes a voter. The goals are for the clock, on two cores; a load above two means that other programs were "
        f"waiting for them too.\n\n{_table(head, rows)}"
    )


def _text_of_savings(findings: Findings) -> str:
    rows = [
        (
            each.setting,
            f"{sum(each.uniform) / len(each.uniform):.0f}",
            f"{sum(each.active) / len(each.active):.0f}",
            f"{each.share:.0%} ± {1.96 * each.error:.0%}",
            f"{each.goal:.0%}" if each.goal else "none set",
            _met(each.share >= each.goal) if each.goal else "",
        )
        for each in findings.savings
    ]
    head = ("planted strengths", "uniform draws", "the pairing", "fewer votes (95 %)", "goal", "met")
    return (
        f"Votes until the widest of the 28 intervals is at most {TARGET:g} logits to each side, the mean of "
        f"{len(findings.savings[0].uniform)} runs of each way. What is saved depends on the arms: much where one is "
        "far from the others, for only duels with it tell where it stands; little where all are alike, for then every "
        f"pair is worth the same.\n\n{_table(head, rows)}"
    )


def _bias(found: Found) -> str:
    return f"{found.bias:+.3f} ± {found.bias_error:.3f}"


def _met(reached: bool) -> str:
    return "yes" if reached else "no"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
