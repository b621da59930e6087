"""What every answer to a made-up operation must be: a GraphQL answer whose errors all have a code of the closed list.

Schemathesis takes any error of a resolver for a fault of the server; here an error is an answer too, as long as it is
one of those that docs/errors describes, and not INTERNAL.
"""

import atexit
import collections
import json
import os
import pathlib

import schemathesis

# One page for each code.
CODES = {page.stem for page in pathlib.Path(os.environ["ERROR_PAGES"]).glob("*.md")} - {"README"}
# What depends on the state of things, and needs no Aurora that fails.
NEVER = {"INTERNAL", "UPSTREAM_INVALID_RESPONSE", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT", "UPSTREAM_FORBIDDEN"}

seen = collections.Counter()


@schemathesis.check
def answer_is_one_of_the_promised(ctx, response, case):
    body = json.loads(response.content)
    assert isinstance(body, dict) and set(body) <= {"data", "errors", "extensions"}, f"no GraphQL answer: {body}"
    errors = body.get("errors", [])
    assert errors or body.get("data") is not None, "neither data nor errors"
    for error in errors:
        code = error.get("extensions", {}).get("code")
        assert code in CODES - NEVER, f"{code} is no answer to this: {error}"
    assert response.status_code in {200, 400, 403, 429}, response.status_code
    seen["answers"] += 1
    seen["with data"] += any(value is not None for value in (body.get("data") or {}).values())
    seen[f"operation {case.operation.label}"] += 1


@atexit.register
def tell():
    if path := os.environ.get("SEEN"):
        pathlib.Path(path).write_text(json.dumps(seen))
