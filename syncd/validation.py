"""Check a part of a parsed file against a pydantic model, and tell what is wrong in an operator's words.

pydantic knows neither lines nor secrets, and its messages speak of inputs and instances. This module walks a
model next to the data: it finds the fields that hold secrets and fills them, anchors relative paths at the file's
folder, refuses references to secrets anywhere else, and translates every complaint. No message quotes what a value
was, except a number that lacks its quotes.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NewType, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from syncd.secrets import BadSecret, Vault, holds_reference
from syncd.yamlfile import Document, Flaw, Keys, shown

Model = TypeVar("Model", bound=BaseModel)

# Stands in for a secret that was not read, so that a model may refuse empty ones.
_UNREAD = "unread-secret-0123456789"


def check(
    model: type[Model], document: Document, at: Keys, data: Any, vault: Vault
) -> tuple[Model | None, list[Flaw]]:
    """`data`, which stands at `at` in the document, as an instance of the model; else None and what to edit.

    Relative paths in fields of type Path become absolute, counted from the folder of the file.
    """
    part = _Part(model, document, at)
    filled = part.filled(model, data, at, vault)
    try:
        # JSON mode, because strict models take no lists for tuples and no texts for paths in Python mode.
        instance = model.model_validate_json(json.dumps(filled))
    except ValidationError as error:
        part.translate(error.errors(include_url=False), filled)
        return None, part.flaws
    if part.flaws:
        return None, part.flaws
    return _blanked(instance), []


class _Part:
    """One model, the part of the file that it describes, and what was found."""

    def __init__(self, model: type[BaseModel], document: Document, at: Keys) -> None:
        self.flaws: list[Flaw] = []
        self._model = model
        self._document = document
        self._at = at
        self._secret_paths: set[Keys] = set()
        self._silent: set[Keys] = set()
        self._secrets: set[str] = set()

    def filled(self, annotation: Any, value: Any, keys: Keys, vault: Vault) -> Any:
        """A copy of the value with its secrets in place and its paths absolute."""
        kinds = set(_arms(annotation))
        if SecretStr in kinds and value is not None:
            return self._secret(value, keys, vault)
        if isinstance(value, dict):
            return {key: self._child(annotation, key, inner, keys, vault) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._child(annotation, index, inner, keys, vault) for index, inner in enumerate(value)]
        if isinstance(value, str):
            if holds_reference(value):
                self.flaws.append(Flaw(keys, "references are for secrets only; write the value itself here"))
                self._silent.add(keys)
            elif Path in kinds and value:
                return str(self._document.path.absolute().parent / value)
        return value

    def _child(self, annotation: Any, key: str | int, value: Any, keys: Keys, vault: Vault) -> Any:
        inner = _under(annotation, key)
        return value if inner is None else self.filled(inner, value, (*keys, key), vault)

    def _secret(self, value: Any, keys: Keys, vault: Vault) -> str:
        self._secret_paths.add(keys)
        if self._document.is_broken(keys):
            return _UNREAD
        try:
            secret = vault.resolve(value, self._credential_name(keys))
        except BadSecret as error:
            self.flaws.append(Flaw(keys, str(error)))
            self._silent.add(keys)
            return _UNREAD
        self._secrets.add(secret)
        return secret or _UNREAD

    def _credential_name(self, keys: Keys) -> str:
        """A name for the credential: `primevox_api_key`, `autotask_secret`."""
        names = [
            key
            for key in map(str, keys)
            if key not in ("settings", "containers") and re.fullmatch(r"[a-z_]+", key)
        ]
        psa = self._document.data.get("psa") if keys[:1] == ("psa",) else None
        if isinstance(psa, dict) and isinstance(psa.get("connector"), str) and psa["connector"].isidentifier():
            names[0] = psa["connector"]
        return "_".join(names)

    def translate(self, errors: list[ErrorDetails], data: Any) -> None:
        """Add pydantic's complaints, but none about a value that has a flaw already."""
        for error in errors:
            keys = self._keys(error, data)
            if self._document.is_broken(keys) or any(keys[: len(path)] == path for path in self._silent):
                continue
            # pydantic counts only the entries that are good, and the bad ones are reported by themselves.
            if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
                continue
            self.flaws.append(Flaw(keys, self._words(error, keys)))

    def _keys(self, error: ErrorDetails, data: Any) -> Keys:
        """pydantic's location in terms of the file: it also names the arms of unions, which no file has."""
        keys = self._at
        location = error["loc"]
        for number, key in enumerate(location):
            if isinstance(data, dict | list) and _has(data, key):
                data = data[key]  # type: ignore[index]
                keys = (*keys, key)
            elif number == len(location) - 1 and error["type"] == "missing":
                keys = (*keys, key)
        return keys

    def _words(self, error: ErrorDetails, keys: Keys) -> str:
        kind, value, context = error["type"], error["input"], error.get("ctx", {})
        if kind == "missing":
            return self._missing(keys)
        if kind == "extra_forbidden":
            return self._unknown(keys)
        if kind in ("value_error", "assertion_error"):
            return self._without_secrets(str(context.get("error", "is not accepted")))
        if keys in self._secret_paths:
            return "this secret does not have the form that is expected here"
        if kind == "string_type":
            return self._no_text(value, keys)
        template = _WORDS.get(kind)
        if template is not None:
            return template.format_map({name: str(inner) for name, inner in context.items()})
        return self._without_secrets(f"is not accepted: {error['msg']}")

    def _missing(self, keys: Keys) -> str:
        kinds = set(_arms(self._annotation(keys)))
        if SecretStr in kinds:
            return f"is missing; write {keys[-1]}: ${{credential:{self._credential_name(keys)}}}"
        if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds):
            return "this section is missing; see config.example.yaml"
        return "is missing, and it has no default"

    def _unknown(self, keys: Keys) -> str:
        key = str(keys[-1])
        known = sorted(set(_fields(self._annotation(keys[:-1]))))
        near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
        if near:
            return f"unknown key {shown(key)}; did you mean {near[0]!r}?"
        return f"unknown key {shown(key)}; " + (
            f"known here: {', '.join(known)}" if known else "nothing is set here"
        )

    def _no_text(self, value: Any, keys: Keys) -> str:
        if value is None:
            return "is empty; write a text in quotes (a # without quotes begins a comment)"
        if isinstance(value, dict | list):
            return "must be one text, not a section or a list"
        source = self._document.source.get(keys, str(value))
        return f'YAML reads this as a number or a truth value; put it in quotes: "{source}"'

    def _annotation(self, keys: Keys) -> Any:
        annotation: Any = self._model
        for key in keys[len(self._at) :]:
            annotation = _under(annotation, key)
        return annotation

    def _without_secrets(self, text: str) -> str:
        """A validator of somebody's connector may quote what it was given."""
        for secret in sorted(self._secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _blanked(value: Any) -> Any:
    """The value with every secret that was not read made empty."""
    if isinstance(value, SecretStr):
        return SecretStr("") if value.get_secret_value() == _UNREAD else value
    if isinstance(value, BaseModel):
        changed = {name: new for name, old in value if (new := _blanked(old)) is not old}
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, dict):
        return {key: _blanked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_blanked(inner) for inner in value)
    return value


_LIST = 'must be a list: ["first", "second"]'
_SECTION = "must be a section: keys and values, indented below it"
_TRUTH = "must be true or false, without quotes"
_NUMBER = "must be a number, without quotes"
_WHOLE = "must be a whole number, without quotes"
_CHOICE = "must be {expected}"
_WORDS = {
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "dict_type": _SECTION,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "path_type": "must be a path, in quotes",
    "too_short": "must have {min_length} or more entries (a # without quotes begins a comment)",
    "too_long": "may have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "may have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form that is expected here ({pattern})",
}


# --- walking a model's annotations -------------------------------------------------------------------------


def _arms(annotation: Any) -> Iterator[Any]:
    """The types behind Annotated, NewType, Optional and other unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _arms(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for arm in get_args(annotation):
            yield from _arms(arm)
    elif isinstance(annotation, NewType):
        yield from _arms(annotation.__supertype__)
    elif hasattr(annotation, "__value__"):  # `type X = ...`
        yield from _arms(annotation.__value__)
    else:
        yield annotation


def _fields(annotation: Any) -> dict[str, Any]:
    """The keys of a section and their annotations; nothing for what is not a model."""
    fields: dict[str, Any] = {}
    for arm in _arms(annotation):
        if isinstance(arm, type) and issubclass(arm, BaseModel):
            for name, info in arm.model_fields.items():
                key = info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name
                fields[key] = info.annotation if key not in fields else Union[fields[key], info.annotation]  # noqa: UP007
    return fields


def _under(annotation: Any, key: str | int) -> Any:
    """The annotation of one entry of a section or a list; None where the model knows no such key."""
    fields = _fields(annotation)
    if key in fields:
        return fields[str(key)]
    for arm in _arms(annotation):
        origin = get_origin(arm) or arm
        inner = [one for one in get_args(arm) if one is not Ellipsis] or [Any]
        if arm is Any:
            return Any
        if not isinstance(origin, type) or issubclass(origin, str) or not issubclass(origin, Collection):
            continue
        if issubclass(origin, Mapping) == isinstance(key, str):
            return inner[-1] if isinstance(key, str) else Union[tuple(inner)]  # noqa: UP007
    return None


def _has(data: dict[str, Any] | list[Any], key: str | int) -> bool:
    if isinstance(data, dict):
        return key in data
    return isinstance(key, int) and key < len(data)
