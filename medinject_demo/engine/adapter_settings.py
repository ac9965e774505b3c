"""What an adapter's ``adapter_config.json`` says, as peft reads it: which layers, what ranks; or refused.

Knows nothing of tensors.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ..errors import ModelError
from .loading import first_line

CONFIG: Final = "adapter_config.json"
REFUSED: Final = {
    "bias": "none",
    "modules_to_save": None,
    "layer_replication": None,
    "trainable_token_indices": None,
    "target_parameters": None,
    "alora_invocation_tokens": None,
    "use_qalora": False,
    "use_bdlora": None,
    "lora_bias": False,
    "fan_in_fan_out": False,
    "velora_config": None,
    "kasa_config": None,
    "arrow_config": None,
    "monteclora_config": None,
}
"""Settings of peft that change what an adapter computes, and the value with which they do not."""

HARMLESS: Final = frozenset(
    (
        *("alpha_pattern", "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying"),
        *("eva_config", "exclude_modules", "inference_mode", "init_lora_weights", "layers_pattern"),
        *("layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_core"),
        *("peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config"),
        *("target_modules", "task_type", "use_dora", "use_rslora"),
    )
)
"""Settings of peft 0.21 that are read here, or that say how an adapter was made; another, where set, may do more."""

CHOOSING: Final = ("exclude_modules", "layers_to_transform", "layers_pattern")
"""Settings that choose among the layers that ``target_modules`` names."""

FAITHFUL_STARTS: Final = ("gaussian", "orthogonal", "eva")
"""Named initialisations that leave the base's weights alone; PiSSA, OLoRA and their like subtract from them."""

Shapes = Mapping[str, tuple[int, int]]
"""(outputs, inputs) of each linear layer of a base, by module name."""


def _are_names(value: object) -> bool:
    """Whether a setting names modules, one by one or by a regular expression."""
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    try:
        re.compile(value)  # type: ignore[call-overload]
    except (re.error, TypeError):
        return False
    return True


def _are_layers(value: object) -> bool:
    return all(type(each) is int for each in (value if isinstance(value, list) else [value]))


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


SHAPED: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(
        ("target_modules", "exclude_modules", "layers_pattern"), (_are_names, "names or a regular expression")
    ),
    "layers_to_transform": (_are_layers, "numbers of layers"),
    **dict.fromkeys(("use_dora", "use_rslora"), (_is_truth, "true or false")),
}
"""Settings of which not every value is one."""


def read_settings(folder: Path) -> dict[str, Any]:
    """What a folder's ``adapter_config.json`` says, with peft's own defaults.

    Raises:
        ModelError: it cannot be read, or asks for what would not be served exactly.
    """
    settings = _whole(folder)
    _refuse(folder, settings)
    return settings


def _whole(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise unreadable(folder, f"{CONFIG}: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise unreadable(folder, f"{CONFIG} that is no JSON object")
    config = {"r": 8, "lora_alpha": 8} | config  # peft's own defaults
    for name, kinds in (("r", int), ("lora_alpha", (int, float))):
        values = {name: config[name]} | _pattern(folder, config, {"r": "rank_pattern"}.get(name, "alpha_pattern"))
        for where, value in values.items():
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < math.inf:
                raise unreadable(folder, f"{CONFIG} with {value!r} for {where}, where a number above 0 belongs")
    for name, (belongs, what) in SHAPED.items():
        if config.get(name) is not None and not belongs(config[name]):
            raise unreadable(folder, f"{CONFIG} with {config[name]!r} for {name}, where {what} belong")
    return config


def _pattern(folder: Path, config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Numbers by regular expressions of modules' names, as peft has them; none where there are none."""
    pattern = config.get(name) or {}
    try:
        for each in pattern:
            re.compile(each)
        return {f"{each} in {name}": pattern[each] for each in pattern}
    except (re.error, TypeError) as error:
        raise unreadable(folder, f"{CONFIG} whose {name} holds no regular expressions: {first_line(error)}") from error


def _refuse(folder: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="a LoRA or DoRA adapter",
            got=f"the type {kind!r}",
            remedy="Merge it into its base, and recover a DoRA adapter from that.",
        )
    started = config.get("init_lora_weights")
    if isinstance(started, str) and started not in FAITHFUL_STARTS:
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="an adapter of the base as it is",
            got=f"init_lora_weights = {started!r}, which changes the base's weights",
            remedy="Convert it to a plain adapter with peft, or merge it into its base.",
        )
    for name, harmless in REFUSED.items():
        value = config.get(name, harmless)
        if value != harmless and value:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected=f"{name} = {harmless!r}",
                got=repr(value),
                remedy="It would not be served exactly; merge it into its base instead.",
            )
    for name in sorted(config.keys() - REFUSED.keys() - HARMLESS):
        if config[name]:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected="settings of peft that are known here",
                got=f"{name} = {config[name]!r}",
                remedy="It may not be served exactly; merge it into its base instead.",
            )


def targets(config: Mapping[str, Any], shapes: Shapes) -> set[str] | None:
    """The layers of a base that an adapter's settings name, as peft reads them; None where they leave it to peft."""
    named = config.get("target_modules")
    if not named:
        return None
    if named == "all-linear":
        named = [*shapes]
    if any(config.get(name) not in (None, [], "") for name in CHOOSING):
        from peft.tuners.tuners_utils import check_target_module_exists  # two seconds, and seldom needed

        settings = SimpleNamespace(target_modules=named, **{name: config.get(name) for name in CHOOSING})
        return {each for each in shapes if check_target_module_exists(settings, each)}
    if isinstance(named, str):
        return {each for each in shapes if re.fullmatch(named, each)}
    return {each for each in shapes if any(each == one or each.endswith(f".{one}") for one in named)}


def of_pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """A rank or an alpha: that of the first pattern that matches the end of the module's name, as in peft."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def unreadable(folder: Path, got: str) -> ModelError:
    """The refusal of a folder that is not whole."""
    return ModelError.of(
        f"adapter {str(folder)!r}", expected="a whole PEFT folder", got=got, remedy="Fetch or recover it again."
    )
