"""The line to the replicas: calls of a Serve handle, and the one place where Ray's errors become ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from ...errors import ModelError
from ..base import ChoiceRequest, Request
from .call import MOST_TRIES, PATIENCE, Lost, unreachable
from .plan import ROWS, Plan
from .wire import Message, Refused

_log = logging.getLogger(__name__)
LOADING: Final = 600.0
"""Seconds for every replica to have loaded and checked an adapter."""


class Line:
    """Calls to one replica, which Ray chooses: of two drawn by lot, the one that answers fewer (power of two choices).

    ``most_waiting`` is what a refusal says of how many may wait.
    """

    def __init__(self, handle: Any, most_waiting: int) -> None:
        self._handle, self._most = handle, most_waiting
        self._streaming = handle.options(stream=True)

    def answer(self, requests: Sequence[Request]) -> Response:
        """One part of a request to one replica."""
        with self.errors():
            return Response(self._streaming.answer.remote(tuple(requests)), self)

    def weigh(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Options' probabilities, in parts, asked anew where a replica is lost: nothing was shown of them.

        Raises:
            MedInjectError: as the engine's, or no replica answers.
        """
        parts = [tuple(requests[start : start + ROWS]) for start in range(0, len(requests), ROWS)]
        first = [self._asked_to_weigh(part) for part in parts]
        return [row for part, response in zip(parts, first, strict=True) for row in self._weighed(part, response)]

    def plan(self) -> Plan:
        """What the fleet was loaded by.

        Raises:
            ModelError: no replica answers.
        """
        try:
            with self.errors():
                plan: Plan = self._handle.plan.remote().result(timeout_s=PATIENCE)
        except Lost as lost:
            raise unreachable(str(lost)) from lost
        return plan

    def every(self, method: str, *arguments: Any, patience: float = PATIENCE) -> list[Any]:
        """A call to every replica that is there: what each gave back; those that are lost gave nothing."""
        from ray.exceptions import RayError
        from ray.serve.exceptions import RayServeException

        try:
            given = self._handle.broadcast(method, *arguments).results(timeout_s=patience, return_exceptions=True)
        except (RayServeException, RayError, TimeoutError):  # none is there, or one does not answer in time
            return []
        for each in given:
            if isinstance(each, BaseException):
                _log.warning("a replica did not %s: %s", method, each)
        return [each for each in given if not isinstance(each, BaseException)]

    def full(self) -> ModelError:
        """The refusal where no replica takes more; the engine's own, with the fleet's number."""
        expected = f"at most {self._most} answers waiting"
        return ModelError.of("engine", expected=expected, got=str(self._most + 1), remedy="Try again in a moment.")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """The boundary: what Ray raises is a replica lost, a fleet that is full, or a replica that failed."""
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import BackPressureError, RayServeException

        try:
            yield
        except BackPressureError as error:
            raise self.full() from error
        except RayTaskError as error:
            why = str(error.cause or error).strip().splitlines()
            raise ModelError.of("replica", expected="an answer", got=why[-1] if why else "an error") from error
        except (RayError, RayServeException) as error:
            raise Lost(f"A replica was lost ({type(error).__name__}).") from error
        except TimeoutError as error:
            raise unreachable("none in time") from error

    def _asked_to_weigh(self, part: Sequence[ChoiceRequest]) -> Any:
        try:
            with self.errors():
                return self._handle.weigh.remote(part)
        except Lost as lost:
            raise unreachable(str(lost)) from lost

    def _weighed(self, part: Sequence[ChoiceRequest], response: Any) -> list[dict[str, float]]:
        for left in reversed(range(MOST_TRIES)):
            try:
                with self.errors():
                    given: list[dict[str, float]] | Refused = response.result(timeout_s=PATIENCE)
            except Lost as lost:
                if not left:
                    raise unreachable(str(lost)) from lost
                response = self._asked_to_weigh(part)
                continue
            if isinstance(given, Refused):
                raise given.error
            return given
        raise AssertionError("the last try returns or raises")


class Response:
    """The messages of one replica about one part."""

    def __init__(self, response: Any, line: Line) -> None:
        self._response, self._line = response, line

    def __iter__(self) -> Iterator[Message]:
        """The messages as they come; see ``call.Answering``."""
        with self._line.errors():
            yield from self._response

    def cancel(self) -> None:
        """Have Ray cancel the replica's work, where there is any left."""
        with suppress(Lost, ModelError), self._line.errors():
            self._response.cancel()
