"""Checks docker/ as far as that goes without an engine.

The Dockerfile copies only what is there and is sent to the builder; compose.yaml parses, and names only secrets,
volumes and services that it declares. Given a binary: it needs no library that the image lacks, and it accepts
the settings of the image and of each service.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker" / "compose.yaml"
IGNORE = ROOT / ".dockerignore"

# What distroless/cc has beside the loader. Everything else must be in the binary.
LIBRARIES = {"linux-vdso", "libc", "libm", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"}

# Commands that refuse to start without what `check-config --serve` asks for.
SERVING = {"serve"}

problems = []


def problem(text):
    problems.append(text)


def instructions():
    """The Dockerfile's instructions, continued lines joined and comments left out."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [line.split(None, 1) for line in joined.splitlines() if line.strip()]


def is_sent(path):
    """Whether .dockerignore lets the path through: the last line that fits decides."""
    sent = True
    for line in IGNORE.read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        pattern = line.lstrip("!").rstrip("/")
        if pattern == "*" or path == pattern or path.startswith(pattern + "/"):
            sent = line.startswith("!")
    return sent


def check_dockerfile():
    stages = set()
    settings = {}
    for name, rest in instructions():
        words = rest.split()
        if name == "FROM":
            settings = {}
            if "AS" in words:
                stages.add(words[words.index("AS") + 1])
        elif name == "ENV":
            key, _, value = rest.partition("=")
            settings[key] = value
        elif name == "COPY":
            flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
            sources = [word for word in words if not word.startswith("--")][:-1]
            if "from" in flags:
                if flags["from"] not in stages:
                    problem(f"Dockerfile: copies from {flags['from']}, which is no stage before it")
                continue
            for source in sources:
                if not (ROOT / source).exists():
                    problem(f"Dockerfile: copies {source}, which is not there")
                elif not is_sent(source):
                    problem(f"Dockerfile: copies {source}, which .dockerignore holds back")
    return settings


def check_compose():
    compose = yaml.safe_load(COMPOSE.read_text())
    services = compose["services"]
    declared = {kind: set(compose.get(kind) or {}) for kind in ("secrets", "volumes")}
    for name, service in services.items():
        for secret in service.get("secrets", []):
            if secret not in declared["secrets"]:
                problem(f"compose.yaml: {name} uses the secret {secret}, which is not declared")
        for volume in service.get("volumes", []):
            if volume.split(":")[0] not in declared["volumes"]:
                problem(f"compose.yaml: {name} uses the volume {volume}, which is not declared")
        needed = set(service.get("depends_on", {}))
        network = service.get("network_mode", "")
        if network.startswith("service:"):
            needed.add(network.removeprefix("service:"))
            if "ports" in service:
                problem(f"compose.yaml: {name} publishes ports, but its network is another service's")
        for other in needed - set(services):
            problem(f"compose.yaml: {name} needs the service {other}, which is not there")
        for value in (service.get("environment") or {}).values():
            mounted = re.fullmatch(r"/run/secrets/(.+)", str(value))
            if mounted and mounted[1] not in service.get("secrets", []):
                problem(f"compose.yaml: {name} reads the secret {mounted[1]}, which is not mounted")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        run = subprocess.run(
            ["docker", "compose", "--file", COMPOSE, "config", "--quiet"], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            problem(f"docker compose config: {run.stderr.strip()}")
    return services


def check_libraries(binary):
    run = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    if "statically linked" in run.stdout or "not a dynamic executable" in run.stderr:
        return
    if run.returncode != 0:
        problem(f"ldd {binary}: {run.stderr.strip()}")
        return
    for line in run.stdout.splitlines():
        library = Path(line.split()[0]).name.split(".so")[0]
        if library not in LIBRARIES:
            problem(f"{binary} needs {library}, which the image does not have")


def check_settings(binary, image, services):
    """Asks the binary about each service's environment, with 32 bytes in base64 in the place of each secret."""
    binary = Path(binary).resolve()
    for name, service in services.items():
        with tempfile.TemporaryDirectory() as folder:
            settings = dict(image)
            for key, value in (service.get("environment") or {}).items():
                mounted = re.fullmatch(r"/run/secrets/(.+)", str(value))
                if mounted:
                    stand_in = Path(folder) / mounted[1]
                    stand_in.write_bytes(base64.b64encode(hashlib.sha256(mounted[1].encode()).digest()) + b"\n")
                    value = stand_in
                settings[key] = str(value)
            command = [binary, "check-config"]
            if SERVING & set(service.get("command", [])):
                command.append("--serve")
            run = subprocess.run(command, env=settings, cwd=folder, capture_output=True, text=True, check=False)
            if run.returncode != 0:
                problem(f"the settings of {name} are refused:\n{run.stderr.strip()}")


def main():
    image = check_dockerfile()
    services = check_compose()
    if len(sys.argv) > 1:
        check_libraries(sys.argv[1])
        check_settings(sys.argv[1], image, services)
    for text in problems:
        print(text, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
