"""The OpenAPI document, and whether a body is what it says."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

from ..errors import BadInput

__all__ = ["BASE", "check_body", "document"]

BASE = "/remote-gpu"
MAX_BODY = 64 << 10
_KINDS = {"string": "a text", "object": "a JSON object", "integer": "a number"}


@functools.cache
def document() -> dict[str, Any]:
    """``openapi.json``."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_bytes())
    return found


def check_body(path: str, method: str, data: bytes) -> dict[str, Any]:
    """The body of a request, as the document wants it.

    Parameters
    ----------
    path : str
        As in the document (``/pods/{pod}``).
    method : str
        In lower case.

    Raises
    ------
    BadInput
        With what is wrong; what was sent is not repeated.
    """
    if len(data) > MAX_BODY:
        raise BadInput(f"The body is longer than {MAX_BODY >> 10} KiB.")
    try:
        body = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError):
        raise BadInput("The body is not JSON.") from None
    error = best_match(_validator(path, method).iter_errors(body))
    if error is not None:
        raise BadInput(_sentence(error))
    checked: dict[str, Any] = body
    return checked


@functools.cache
def _validator(path: str, method: str) -> Any:
    wanted = document()["paths"][path][method].get("requestBody")
    schema = {"type": "object", "additionalProperties": False}
    if wanted is not None:
        schema = wanted["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document()["components"]})


def _sentence(error: ValidationError) -> str:
    what = f"'{error.absolute_path[-1]}'" if error.absolute_path else "The body"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"The body lacks '{missing[0]}'."
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = next(name for name in error.instance if name not in known)
        return f"The body has a field {unknown!r:.40} that is not known here (known: {known})."
    if error.validator == "type":
        return f"{what} must be {_KINDS.get(str(error.validator_value), 'of another type')}."
    if error.validator == "maxLength":
        return f"{what} is longer than {error.validator_value} characters."
    if error.validator == "minLength":
        return f"{what} is empty."
    return f"{what} is not of the form that is wanted here."
