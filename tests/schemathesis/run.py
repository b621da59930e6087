"""Runs Schemathesis, which makes operations up from the schema, against the real binary and its Aurora sandbox.

    run.py BINARY SCHEMATHESIS [EXAMPLES [SEED]]

Twice: with the schema from introspection, and from the text of schema.graphql where introspection is off.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# In each run. Fewer, and the tool has taken the gateway for something else.
FEWEST_ANSWERS = 100
FEWEST_WITH_DATA = 10
OPERATIONS = 18

# Seconds.
START, STOP = 30, 10


@contextlib.contextmanager
def gateway(binary, **settings):
    """A demo on ports of its own: its addresses, its key and an environment to ask it."""
    ports = {f"HELIOGRAPH_{name}__LISTEN": "127.0.0.1:0" for name in ("SERVER", "SANDBOX")}
    environment = {"PATH": os.environ["PATH"], "HELIOGRAPH_SERVER__ADMIN_LISTEN": "127.0.0.1:0", **ports, **settings}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [binary, "demo"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C stops" in line:
                    break
            else:
                log.seek(0)
                sys.exit(f"the gateway did not start:\n{log.read()}")
            url = re.search(r"GraphQL +(\S+)", said)[1]
            key = re.search(r"API key +(\S+)", said)[1]
            yield url, key
        finally:
            process.terminate()
            process.wait(STOP)


def ask(url, key, query):
    body = json.dumps({"query": query}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=START) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def known(url, key):
    """A project, its design and their global ids, so that what is made up can find something."""
    made = ask(url, key, """mutation { createProject(input: {
        location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" }, externalProviderId: "crm-1"
    }) { project { id projectId designs { id designId } } } }""")
    project = made["data"]["createProject"]["project"]
    design = project["designs"][0]
    ids = {"project": project["projectId"], "design": design["designId"], "external": "crm-1"}
    ids["tenant"] = ask(url, key, "{ viewer { tenants { tenantId } } }")["data"]["viewer"]["tenants"][0]["tenantId"]
    return ids, [project["id"], design["id"]]


def dictionaries(ids, nodes):
    """Schemathesis' settings: half of the ids are good ones."""
    lines = [f'[dictionaries.{name}]\nvalues = ["{value}"]' for name, value in ids.items()]
    lines += [f"[dictionaries.node]\nvalues = {json.dumps(nodes)}", "[parameters]"]
    names = {"tenantId": "tenant", "projectId": "project", "designId": "design", "externalProviderId": "external"}
    for argument, name in {**names, "id": "node"}.items():
        lines.append(f'"*.*.{argument}" = {{ dictionary = "{name}", probability = 0.7 }}')
    return "\n".join(lines) + "\n"


def run(schemathesis, folder, url, key, source, examples, seed):
    seen = folder / "seen.json"
    config = folder / "schemathesis.toml"
    config.write_text(dictionaries(*known(url, key)))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "hooks",
        "ERROR_PAGES": str(ROOT / "docs" / "errors"),
        "SEEN": str(seen),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [
        schemathesis, "--config-file", config, "run", *source, "--phases", "fuzzing", "--max-examples", str(examples),
        "--checks", "answer_is_one_of_the_promised,response_schema_conformance", "--suppress-health-check", "all",
        "--generation-database", "none", "--seed", str(seed), "-H", f"Authorization: Bearer {key}", "--no-color",
    ]  # fmt: skip
    result = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{result.stdout}\n{result.stderr}\nseed {seed}")
    counts = json.loads(seen.read_text())
    operations = sum(1 for name in counts if name.startswith("operation "))
    print(f"   {counts['answers']} answers, {counts['with data']} with data, to {operations} operations, seed {seed}")
    too_few = counts["answers"] < FEWEST_ANSWERS or counts["with data"] < FEWEST_WITH_DATA
    if too_few or operations != OPERATIONS:
        sys.exit(f"that is too little to have tested anything: {counts}\n{result.stdout}")


def main(binary, schemathesis, examples=30, seed=1):
    binary, schemathesis = pathlib.Path(binary).resolve(), pathlib.Path(schemathesis).absolute()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with gateway(binary) as (url, key):
            print("with introspection")
            run(schemathesis, folder, url, key, [url], examples, seed)
        with gateway(binary, HELIOGRAPH_LIMITS__INTROSPECTION="off") as (url, key):
            refused = ask(url, key, "{ __schema { queryType { name } } }")
            assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN", refused
            print("without introspection")
            source = [str(ROOT / "schema.graphql"), "--url", url]
            run(schemathesis, folder, url, key, source, examples, seed)


main(*sys.argv[1:])
