"""`/v1/openapi.json`, made of the same list that is routed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from signaling.errors import STATUS
from signaling.http.bodies import json_response
from signaling.http.endpoints import Endpoint

VARIABLE = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "retry"],
            "properties": {
                "code": {"type": "string", "enum": sorted(STATUS)},
                "message": {"type": "string"},
                "retry": {"type": "boolean"},
                "retry_after_ms": {"type": "integer"},
            },
        }
    },
}


def routes_of(all_endpoints: Callable[[], list[Endpoint]]) -> list[Endpoint]:
    """`all_endpoints` answers what the application routes, this one included."""

    async def openapi(_: web.Request) -> web.Response:
        return json_response(document(all_endpoints()))

    return [Endpoint("GET", "/v1/openapi.json", openapi, "This table, machine readable")]


def document(endpoints: list[Endpoint]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = VARIABLE.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hubbub", "version": "1", "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "responses": {
            **{str(status): {"description": "Success"} for status in endpoint.answers},
            "default": {"description": "Refused", "content": problem},
        },
    }
    if names := VARIABLE.findall(endpoint.path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if endpoint.needs:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs: {endpoint.needs}"
    return operation
