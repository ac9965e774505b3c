"""Who gives an order at a table, and how Gradio's components give it. Knows neither the order nor what it draws."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .seat import Seat


@dataclass(frozen=True)
class Visit:
    """Who gives an order: language, secret token, seat, whether answers are shown plain, and the request itself."""

    lang: str
    session: str
    seat: Seat
    plain: bool
    request: gr.Request | None = None


def from_components(order: Callable[..., Any]) -> Callable[..., Any]:
    """An order as Gradio calls it: the first four values and the request are the visit's."""

    def stream(lang: str, token: str, seat: Seat, plain: bool, sent: gr.Request, *inputs: Any) -> Iterator[Any]:
        yield from order(Visit(lang, token, seat, plain, sent), *inputs)

    def once(lang: str, token: str, seat: Seat, plain: bool, sent: gr.Request, *inputs: Any) -> Any:
        return order(Visit(lang, token, seat, plain, sent), *inputs)

    return stream if inspect.isgeneratorfunction(order) else once
