from __future__ import annotations

from dataclasses import fields

import pytest

from medinject_demo.errors import InvalidValue
from medinject_demo.settings import QUANTIZATIONS, Settings, as_markdown

GIVEN = {
    "MEDINJECT_MODEL": "qwen3-4b",
    "MEDINJECT_DATABASE_URL": "postgresql://host/votes",
    "MEDINJECT_VOTES_DATASET": "group/votes",
    "MEDINJECT_RETENTION_DAYS": "365",
    "MEDINJECT_ENGINE_URL": "http://host:8000/v1",
    "MEDINJECT_ENGINE_KEY": "clef-du-serveur",
    "MEDINJECT_QUANTIZATION": "int8",
    "MEDINJECT_SECRET": "sel-des-votants",
    "MEDINJECT_ASKS_PER_VOTER": "5/minute",
    "MEDINJECT_ASKS_PER_ADDRESS": "none",
    "MEDINJECT_VOTES_PER_VOTER": "7/minute",
    "MEDINJECT_VOTES_PER_ADDRESS": "70/minute; 700/hour",
    "MEDINJECT_PROXIES": "2",
    "HF_TOKEN": "jeton-du-hub",
}


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings().model == "auto"
    assert Settings().quantization == "none"


def test_every_setting_is_read_from_its_own_variable() -> None:
    settings = Settings.from_env(GIVEN)
    assert {each.metadata["variable"]: str(getattr(settings, each.name)) for each in fields(settings)} == GIVEN
    assert settings.proxies == 2


@pytest.mark.parametrize("variable", GIVEN)
@pytest.mark.parametrize("blank", ["", "  \n"])
def test_a_blank_variable_takes_its_default(variable: str, blank: str) -> None:
    assert Settings.from_env({variable: blank}) == Settings()


def test_space_around_a_value_is_dropped() -> None:
    assert Settings.from_env({"MEDINJECT_MODEL": " mini\n"}).model == "mini"


def test_variables_of_others_are_ignored() -> None:
    assert Settings.from_env({"PATH": "/bin", "MEDINJECT_COLOUR": "green"}) == Settings()


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_each_quantization_is_accepted(quantization: str) -> None:
    assert Settings.from_env({"MEDINJECT_QUANTIZATION": quantization}).quantization == quantization


def test_a_bad_quantization_is_refused_with_the_good_ones_and_a_remedy() -> None:
    with pytest.raises(InvalidValue) as refused:
        Settings.from_env({"MEDINJECT_QUANTIZATION": "int3"})
    assert (
        str(refused.value)
        == "MEDINJECT_QUANTIZATION: expected none or int8 or int4, got another, not shown. Unset it for none."
    )


@pytest.mark.parametrize("variable", ["MEDINJECT_DATABASE_URL", "MEDINJECT_ENGINE_URL"])
def test_what_is_no_url_is_refused_by_its_variable(variable: str) -> None:
    with pytest.raises(
        InvalidValue, match=rf"^{variable}: expected a URL such as scheme://place, got another, not shown"
    ):
        Settings.from_env({variable: "votes.db"})


@pytest.mark.parametrize("text", ["one", "-1", "1.5", "²"])
def test_a_number_of_proxies_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^MEDINJECT_PROXIES: expected a whole number, got "):
        Settings.from_env({"MEDINJECT_PROXIES": text})


@pytest.mark.parametrize("days", ["0", "-3", "1.5", "un an", "36501"])
def test_a_retention_that_is_no_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(InvalidValue, match=r"^MEDINJECT_RETENTION_DAYS: expected a whole number from 1 to 36500, got "):
        Settings.from_env({"MEDINJECT_RETENTION_DAYS": days})
    assert Settings.from_env({"MEDINJECT_RETENTION_DAYS": "36500"}).retention_days == 36_500


@pytest.mark.parametrize("name", ["votes", "a/b/c", "https://huggingface.co/datasets/a/b", "a b/c"])
def test_what_is_no_data_set_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"^MEDINJECT_VOTES_DATASET: expected a data set such as group/votes"):
        Settings.from_env({"MEDINJECT_VOTES_DATASET": name})


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.from_env(GIVEN))
    assert "sel-des-votants" not in shown
    assert "jeton-du-hub" not in shown
    assert "clef-du-serveur" not in shown


def test_the_table_of_the_readme_lists_every_variable_once() -> None:
    for variable in GIVEN:
        assert as_markdown().count(f"| `{variable}` |") == 1


def refusal(environ: dict[str, str]) -> str:
    """The sentence of a refusal, "" where there is none."""
    try:
        Settings.from_env(environ)
    except InvalidValue as error:
        return str(error)
    return ""


@pytest.mark.parametrize("variable", sorted(each.metadata["variable"] for each in fields(Settings)))
def test_no_refusal_tells_the_value_which_may_be_a_secret_in_the_wrong_place(variable: str) -> None:
    said = refusal({variable: "postgresql:me:geheim@host hf_secret"})
    assert said == "" or said.startswith(variable)
    assert "geheim" not in said
    assert "hf_secret" not in said
