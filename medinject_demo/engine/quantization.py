"""A base whose weights are held in eight or four bits, through optimum-quanto; activations stay as they are.

The embedding and the head, often one tensor, are left whole. Knows nothing of adapters: their scales are computed from
the unquantised weights before this is called.
"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidValue, ModelError
from ..settings import QUANTIZATIONS


def require_quantization(name: str) -> None:
    """Raises InvalidValue where a name is none of those that are known, ModelError where the library is missing."""
    if name not in QUANTIZATIONS:
        raise InvalidValue.of("quantization", expected=" or ".join(QUANTIZATIONS), got=repr(name))
    if name != "none":
        try:
            import optimum.quanto  # noqa: F401, only whether it is there
        except ImportError as error:
            raise ModelError.of(
                f"quantization {name}",
                expected="optimum-quanto",
                got="none",
                remedy="Run: pip install optimum-quanto",
            ) from error


def quantize_weights(model: Any, name: str) -> None:
    """Quantise the linear layers of a model in place, all but its head; ``name`` is ``none``, ``int8`` or ``int4``."""
    if name == "none":
        return
    from optimum.quanto import freeze, qint4, qint8, quantize

    head = model.get_output_embeddings()
    kept = [each for each, module in model.named_modules() if module is head]
    quantize(model, weights={"int8": qint8, "int4": qint4}[name], exclude=kept)
    freeze(model)
