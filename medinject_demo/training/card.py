"""The model card of a trained folder, written from its record. Pure text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MINIATURE = (
    "> **Miniature de démonstration, sans aucune valeur médicale.** Ce modèle montre l'interface du playground ; ses\n"
    "> réponses ne sont pas des informations de santé.\n\n"
)

_RESEARCH = "> Modèle de recherche : ses réponses ne sont pas des avis médicaux.\n\n"


def card(record: Mapping[str, Any]) -> str:
    """The README.md of a base or an adapter: what it is, on what data, with which settings, and its losses."""
    recipe, adapter = record["recipe"], bool(record["recipe"]["rank"])
    title = f"{record['mixture']} ({'adaptateur DoRA' if adapter else 'modèle de base'})"
    counts = "\n".join(f"| {name} | {count} |" for name, count in record["counts"].items())
    settings = "\n".join(f"| {name} | {value} |" for name, value in recipe.items())
    losses = " → ".join(f"{loss:.3f}" for loss in _thinned(record["losses"]))
    return f"""{_front_matter(record, adapter)}# {title}

{_MINIATURE if record.get("miniature") else _RESEARCH}Base : `{record["base"]}`.
Données : empreinte `{record["data"]}`, {record["items"]} exemples.

| source | exemples |
|---|---|
{counts}

| réglage | valeur |
|---|---|
{settings}

Perte au fil de l'entraînement : {losses}. Durée : {record["seconds"]:.0f} s{" (reprise)" if record["resumed"] else ""}.
"""


def _front_matter(record: Mapping[str, Any], adapter: bool) -> str:
    lines = ["language: fr", "tags: [medical, french, medinjection-fr]"]
    if record.get("miniature"):
        lines.append("license: mit")  # of another base and data, the licence is not ours to choose
    if adapter:
        lines += [f"base_model: {record['base']}", "library_name: peft"]
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _thinned(losses: list[float], shown: int = 6) -> list[float]:
    """At most ``shown`` values, the first and the last among them."""
    if len(losses) <= shown:
        return losses
    return [losses[round(place * (len(losses) - 1) / (shown - 1))] for place in range(shown)]
