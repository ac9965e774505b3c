"""Every French text of the page, in one place."""

from __future__ import annotations

from typing import Final

from ..domain import Mixture

TITLE: Final = "MedInjection-FR : les huit modèles côte à côte"
WARNING: Final = (
    "Démonstration de recherche : aucune réponse n’est un avis médical. N’écrivez aucune donnée personnelle. "
    "En cas d’urgence, appelez le 15 ou le 112."
)
QUESTION: Final = "Votre question"
PLACEHOLDER: Final = "Par exemple : quels sont les symptômes de la grippe ?"
ASK: Final = "Poser la question"
EXAMPLES: Final = "Exemples"
WAITING: Final = "…"
FAILED: Final = "*Cette réponse n’a pas pu être produite. Reposez la question.*"
BUSY: Final = "Trop de réponses sont en attente. Réessayez dans un instant."
CUT: Final = "… *(réponse coupée à la longueur maximale)*"
EMPTY: Final = "Écrivez une question avant de la poser."
TOO_LONG: Final = "La question compte {got} caractères ; {most} au plus sont acceptés. Raccourcissez-la."

NAMES: Final = {
    "base": "Modèle de base",
    "nat": "Natif",
    "trad": "Traduit",
    "syn": "Synthétique",
    "nat-trad": "Natif + traduit",
    "nat-syn": "Natif + synthétique",
    "trad-syn": "Traduit + synthétique",
    "all": "Les trois",
}


def name(mixture: Mixture) -> str:
    """The French name of an arm."""
    return NAMES[mixture.slug]
