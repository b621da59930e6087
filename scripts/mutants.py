#!/usr/bin/env python3
"""Switches each control off, one at a time, and demands that the test which guards it fails.

    scripts/mutants.py             all of tests/mutants/controls.toml
    scripts/mutants.py WORD...     those whose description contains one of the words
    scripts/mutants.py --check     none: it only demands that the table fits the code, which takes no time

It works on a copy below the target folder, with a target folder of its own; the checkout is not touched. First, every
test must pass unchanged: a test that fails anyway guards nothing. A control that does not compile without its check is
told of too: the table has to follow the code.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "mutants" / "tree"

# A test that hangs without its control has failed as well, and must not hold up the others.
PATIENCE_SECONDS = 300


def controls(words):
    table = tomllib.loads((ROOT / "tests/mutants/controls.toml").read_text())["control"]
    return [it for it in table if not words or any(word in it["what"] for word in words)]


def copy_tree():
    """The files that could be committed; those that did not change keep their times, so that cargo builds little."""
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT
    )
    wanted = {name for name in listed.decode().split("\0") if name and (ROOT / name).exists()}
    for name in wanted:
        source, copy = ROOT / name, COPY / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for old in [it for it in COPY.rglob("*") if it.is_file() and str(it.relative_to(COPY)) not in wanted]:
        old.unlink()


def cargo(*arguments, timeout=None):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET / "mutants" / "target")}
    return subprocess.run(
        ["cargo", "test", "--locked", "--quiet", *arguments],
        cwd=COPY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
    )


def selection(control):
    binary, name = control["fails"].split(" ")
    return ["--lib"] if binary == "lib" else ["--test", binary], name


def run(control):
    """'passed', 'failed', or why it is neither."""
    binary, name = selection(control)
    built = cargo(*binary, "--no-run")
    if built.returncode != 0:
        return "it does not compile:\n" + built.stdout[-2000:]
    try:
        ran = cargo(*binary, name, "--", "--exact", timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return "failed"
    results = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed", ran.stdout)
    match results:
        case [("1", "0")]:
            return "passed"
        case [("0", "1")]:
            return "failed"
        case _:
            return f"there is no such test, or it broke off: {results}\n" + ran.stdout[-2000:]


def switch_off(control):
    """Changes the copy, and gives the text that was there."""
    file = COPY / control["file"]
    before = text = file.read_text()
    for old, new in control["edits"]:
        if text.count(old) != 1:
            raise SystemExit(f"{control['what']}: {control['file']} has {text.count(old)} times {old!r}")
        text = text.replace(old, new)
    file.write_text(text)
    return before


def misfits(control):
    """What of a control is not in the code as the table has it."""
    text = (ROOT / control["file"]).read_text()
    for old, _ in control["edits"]:
        if text.count(old) != 1:
            yield f"{control['file']} has {text.count(old)} times {old!r}"
    name = control["fails"].rsplit("::", 1)[-1].split(" ")[-1]
    sources = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "tests" / "it").rglob("*.rs")]
    if not any(f"fn {name}(" in it.read_text() for it in sources):
        yield f"there is no test {name}"


def check():
    wrong = [f"{it['what']}: {misfit}" for it in controls([]) for misfit in misfits(it)]
    print("\n".join(wrong) or "the table fits the code")
    sys.exit(1 if wrong else 0)


def main():
    if sys.argv[1:] == ["--check"]:
        check()
    chosen = controls(sys.argv[1:])
    if not chosen:
        raise SystemExit("there is no such control")
    copy_tree()
    wrong = 0
    for control in chosen:
        verdict = run(control)
        if verdict != "passed":
            wrong += 1
            print(f"unchanged, {control['fails']}: {verdict}", flush=True)
    if wrong:
        raise SystemExit(f"{wrong} of {len(chosen)} tests do not pass unchanged")
    for control in chosen:
        file, before = COPY / control["file"], switch_off(control)
        try:
            verdict = run(control)
        finally:
            file.write_text(before)
        good = verdict == "failed"
        wrong += not good
        print(f"{'ok  ' if good else 'WRONG'} without: {control['what']}", flush=True)
        if not good:
            print(f"     {control['fails']}: {verdict}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} controls are missed when they are off")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
