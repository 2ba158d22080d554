"""Every JSON answer of the API against the document that describes it (src/api/openapi.json)."""

import json
import pathlib
import re

_document = None
_KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_QUIET = {"description", "summary", "title", "format", "default", "examples"}


class Wrong(AssertionError):
    pass


def _load():
    global _document
    if _document is None:
        path = pathlib.Path(__file__).resolve().parents[3] / "src/api/openapi.json"
        _document = json.loads(path.read_text())
        # Fixed paths before those with parameters.
        _document["_rows"] = sorted(((re.compile("^" + re.sub(r"\{[^}]*\}", "[^/]+", p) + "$"), p) for p in _document["paths"]), key=lambda row: "{" in row[1])
    return _document


def _resolve(schema):
    while "$ref" in schema:
        node = _load()
        for part in schema["$ref"].lstrip("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def _is(value, kind):
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _check(schema, value, where):
    schema = _resolve(schema)
    kinds = schema.get("type")
    if kinds is not None:
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not any(_is(value, kind) for kind in kinds):
            raise Wrong(f"{where} is {value!r}, expected {' or '.join(kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        raise Wrong(f"{where} is {value!r}, expected one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        raise Wrong(f"{where} is {value!r}, expected {schema['const']!r}")
    for word in ("oneOf", "anyOf"):
        if word in schema and not any(_fits(s, value) for s in schema[word]):
            raise Wrong(f"{where} fits none of {word}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key in schema.get("required", ()):
            if key not in value:
                raise Wrong(f"{where}.{key} is missing")
        more = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in properties:
                _check(properties[key], item, f"{where}.{key}")
            elif more is False:
                raise Wrong(f"{where}.{key} is not in the document")
            elif isinstance(more, dict):
                _check(more, item, f"{where}.{key}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            raise Wrong(f"{where} has {len(value)} items")
        for i, item in enumerate(value):
            _check(schema.get("items", {}), item, f"{where}[{i}]")


def _fits(schema, value):
    try:
        _check(schema, value, "")
        return True
    except Wrong:
        return False


def check_answer(method, target, status, content_type, body):
    """Raises Wrong if a JSON answer is not what the document says; other types and unknown paths are passed over."""
    path = target.split("?")[0]
    pattern = next((p for regex, p in _load()["_rows"] if regex.match(path)), None)
    operation = _document["paths"].get(pattern, {}).get(method.lower())
    if operation is None or not (content_type or "").startswith("application/json") or not body:
        return
    responses = operation["responses"]
    content = _resolve(responses.get(str(status)) or responses["default"]).get("content", {})
    if "application/json" in content:
        _check(content["application/json"]["schema"], json.loads(body), f"{method} {path} {status}: answer")
