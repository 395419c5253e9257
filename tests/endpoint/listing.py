"""Lists as the API server makes them: filtered, sorted, page after page (backend/src/apiserver/list and filter)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from endpoint.messages import INVALID, ApiError

Item = Mapping[str, Any]

DEFAULT_PAGE, LARGEST_PAGE = 20, 200
_VALUES = ("string_value", "int_value", "long_value", "timestamp_value", "string_values", "int_values", "long_values")
_OPERATIONS = (
    "OPERATION_UNSPECIFIED",
    "EQUALS",
    "NOT_EQUALS",
    "GREATER_THAN",
    "GREATER_THAN_EQUALS",
    "LESS_THAN",
    "LESS_THAN_EQUALS",
    "IN",
    "IS_SUBSTRING",
)
_DATES = "created_at"


def page(
    items: Iterable[Item], key: str, id_field: str, fields: frozenset[str], query: Mapping[str, str]
) -> dict[str, Any]:
    """The API's answer to a list call; `key` names its list, `fields` are those to filter and sort by.

    An empty list has no key, neither has a count of zero, nor the token of the page after the last one.
    """
    token = query.get("page_token", "")
    state = _read_token(token) if token else _fresh_state(query, fields)
    found = [item for item in items if _matches(item, state["Filter"], fields)]
    ordered = sorted(found, key=lambda item: _order(item, state, id_field), reverse=state["IsDesc"])
    size = _size(query.get("page_size", ""))
    rest = _from(ordered, state, id_field)
    answer: dict[str, Any] = {key: rest[:size], "total_size": len(found)}
    if len(rest) > size:
        answer["next_page_token"] = _token(state, rest[size], id_field)
    return {name: value for name, value in answer.items() if value}


def _fresh_state(query: Mapping[str, str], fields: frozenset[str]) -> dict[str, Any]:
    words = query.get("sort_by", "").lower().split()
    if len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
        raise _bad_options(f"Received invalid sort by format {query['sort_by']!r}")
    if words and words[0] not in fields:
        raise _bad_options(f"Invalid sorting field: {words[0]!r}")
    return {
        "SortByFieldName": words[0] if words else _DATES,
        "SortByFieldValue": None,
        "KeyFieldValue": None,
        "IsDesc": words[1:] == ["desc"],
        "Filter": _predicates(query.get("filter", "")),
    }


def _order(item: Item, state: Mapping[str, Any], id_field: str) -> tuple[str, str]:
    return str(item.get(state["SortByFieldName"], "")), str(item[id_field])


def _from(ordered: Sequence[Item], state: Mapping[str, Any], id_field: str) -> list[Item]:
    if state["KeyFieldValue"] is None:
        return list(ordered)
    start = (state["SortByFieldValue"], state["KeyFieldValue"])
    if state["IsDesc"]:
        return [item for item in ordered if _order(item, state, id_field) <= start]
    return [item for item in ordered if _order(item, state, id_field) >= start]


def _size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        raise ApiError(
            INVALID, f'type mismatch, parameter: page_size, error: strconv.ParseInt: parsing "{text}"'
        ) from None
    if size < 0:
        raise _bad_options("The page size should be greater than 0")
    return min(size or DEFAULT_PAGE, LARGEST_PAGE)


def _token(state: Mapping[str, Any], following: Item, id_field: str) -> str:
    value, key = _order(following, state, id_field)
    return base64.b64encode(json.dumps({**state, "SortByFieldValue": value, "KeyFieldValue": key}).encode()).decode()


def _read_token(token: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(base64.b64decode(token, validate=True))
        return state if "KeyFieldValue" in state else _raise_bad_token("unknown token")
    except binascii.Error:
        return _raise_bad_token(f"illegal base64 data at input byte {_first_bad(token)}")
    except (ValueError, TypeError) as error:
        return _raise_bad_token(str(error))


def _first_bad(token: str) -> int:
    return next((i for i, char in enumerate(token) if not (char.isalnum() or char in "+/=")), len(token))


def _raise_bad_token(reason: str) -> dict[str, Any]:
    outside = "Failed to create list options: InvalidInputError: Invalid page token"
    raise ApiError(INVALID, f"{outside}: {reason}", "Invalid page token")


def _bad_options(detail: str) -> ApiError:
    return ApiError(INVALID, f"Failed to create list options: Invalid input error: {detail}", detail)


def _predicates(text: str) -> list[list[Any]]:
    """A filter's predicates as (operation, key, value); names in camel case or not, operations by name or number."""
    try:
        given = json.loads(text)["predicates"] if text else []
    except (ValueError, KeyError, TypeError):
        raise _bad_options("Error parsing filter") from None
    found = []
    for predicate in given:
        names = {_snake(name): value for name, value in predicate.items()}
        operation = names.get("operation", 0)
        values = [names[name] for name in _VALUES if name in names]
        if "key" not in names or len(values) != 1 or not set(names) <= {"operation", "key", *_VALUES}:
            raise _bad_options(f"Error parsing filter: {sorted(predicate)}")
        operation = _OPERATIONS[operation] if isinstance(operation, int) else operation
        value = values[0]["values"] if isinstance(values[0], dict) else values[0]
        found.append([operation, names["key"], value])
    return found


def _matches(item: Item, predicates: Iterable[Sequence[Any]], fields: frozenset[str]) -> bool:
    for operation, key, value in predicates:
        if key not in fields:
            raise _bad_options(f'no support for filtering on unrecognized field "{key}"')
        if not _holds(operation, str(item.get(key, "")), value):
            return False
    return True


def _holds(operation: str, found: str, value: Any) -> bool:
    if operation == "IN":
        return found in [str(one) for one in value]
    wanted = str(value)
    # The database compares text without its case (MySQL's default collation), which a client must not lean on.
    results = {
        "EQUALS": found == wanted,
        "NOT_EQUALS": found != wanted,
        "GREATER_THAN": found > wanted,
        "GREATER_THAN_EQUALS": found >= wanted,
        "LESS_THAN": found < wanted,
        "LESS_THAN_EQUALS": found <= wanted,
        "IS_SUBSTRING": wanted.lower() in found.lower(),
    }
    if operation not in results:
        raise _bad_options(f"Unsupported filter operation {operation}")
    return results[operation]


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
