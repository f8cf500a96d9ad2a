"""How fast a listing is audited: against a loop over its documents that computes the same rules, and in what memory.

    python -m benchmarks.audit                 # 250,000, 500,000 and 1,000,000 tokens, about five minutes

The sandbox runs in a process of its own, and each size is measured in a new one. Both ways start with what they work on
in hand: the typed listing and the identities, or the documents as ``json`` gives them. Their findings are compared.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

import tokenkit
from benchmarks.goals import note
from benchmarks.revoking import sandbox
from tokenkit.redaction import SECRET, redact
from tokenkit.review import audit as audits
from tokenkit.review.access import ADMINS
from tokenkit.review.rule import Context
from tokenkit.review.rules import EMPTY_WORDS, RULES

SIZES = (250_000, 500_000, 1_000_000)
GOAL = 5
REPEATS = 5
DAY = 86_400_000
_SECRET = re.compile(SECRET, re.IGNORECASE | re.ASCII)
_LETTERS = re.compile(r"[\W_]+")
_OBSERVED = ("AUTOSCOPE_STATE_COMPLETED", "AUTOSCOPE_STATE_BACKFILLED")
_REMEDIES = {rule.id: (rule.id, rule.severity, rule.remedy) for rule in RULES}


Get = Callable[[str], Any]


class Loop:
    """The rules as one writes them without a frame: ifs, in a loop over the documents."""

    def __init__(self, get: Get, now_ms: int) -> None:
        self.users, self.programs, groups = (_scim(get, each) for each in ("Users", "ServicePrincipals", "Groups"))
        self.admins: set[str] = set()
        todo = [each for each in groups.values() if each["displayName"] == ADMINS]
        for group in todo:
            for member in group.get("members") or ():
                inner = groups.get(member["value"])
                todo += [inner] if inner and inner not in todo else []
                self.admins.add(member["value"])
        conf = get("preview/workspace-conf?keys=maxTokenLifetimeDays")
        self.maximum = int(conf.get("maxTokenLifetimeDays") or 0)
        self.now_ms = now_ms

    def findings(self, tokens: list[dict[str, Any]]) -> list[tuple[str | None, ...]]:
        """Return rule, severity, remedy, token, owner, evidence for each finding about a token or an owner."""
        found: list[tuple[str | None, ...]] = []
        counts: Counter[str] = Counter()
        names: dict[str, str] = {}
        for token in tokens:
            owner_id = str(token["owner_id"])
            identity = self.users.get(owner_id) or self.programs.get(owner_id)
            owner = self._name(token, owner_id, identity)
            working = token["expiry_time"] == -1 or token["expiry_time"] > self.now_ms
            said = self._evidence(token, owner_id, identity) if working else {}
            if working:
                counts[owner_id] += 1
                names[owner_id] = owner
            comment = token.get("comment")
            if comment and _SECRET.search(comment):
                said["secret-in-comment"] = "comment: " + redact(comment)[:80]
            for rule, evidence in said.items():
                found.append((*_REMEDIES[rule], token["token_id"], owner, evidence))
        near = [(owner_id, count) for owner_id, count in counts.items() if count >= 480]
        found += [(*_REMEDIES["many-tokens"], None, names[each], f"{count} tokens of 600") for each, count in near]
        return found

    @staticmethod
    def _name(token: dict[str, Any], owner_id: str, identity: dict[str, Any] | None) -> str:
        if identity is None:
            self_made = token["created_by_id"] == token["owner_id"]
            return str(token["created_by_username"]) if self_made else owner_id
        return str(identity.get("userName") or identity.get("displayName"))

    def _evidence(self, token: dict[str, Any], owner_id: str, identity: dict[str, Any] | None) -> dict[str, str]:  # noqa: C901, PLR0912 - that is how it is written
        said = {}
        now, created, expiry = self.now_ms, token["creation_time"], token["expiry_time"]
        used = token.get("last_used_day")
        if identity is None or identity.get("active") is False:
            said["owner-gone"] = "the owner is inactive" if identity else "the owner was deleted"
        if owner_id in self.programs and owner_id in self.admins and token["created_by_id"] != token["owner_id"]:
            said["admin-program"] = "an admin by way of admins"
        scopes = token.get("scopes") or ()
        if wide := [scope for scope in ("all-apis", "authentication") if scope in scopes]:
            said["wide-scope"] = f"granted {', '.join(wide)}"
        if expiry == -1:
            said["no-expiry"] = f"no expiry, {(now - created) // DAY} days old"
            if self.maximum:
                said["beyond-maximum"] = f"never expires, the maximum is {self.maximum} days"
        else:
            lifetime = (expiry - created) / DAY
            if lifetime > 90:
                said["long-lifetime"] = f"lives {lifetime:.1f} days, more than 90"
            if self.maximum and lifetime > self.maximum:
                said["beyond-maximum"] = f"lives {lifetime:.1f} days, the maximum is {self.maximum}"
            if expiry - now <= 7 * DAY:
                said["expires-soon"] = f"days left: {(expiry - now) // DAY}"
        if used is None:
            if now - created >= 30 * DAY:
                said["never-used"] = f"never used in {(now - created) // DAY} days"
        elif (idle := (now - max(used, created)) // DAY) >= 60:
            said["unused"] = f"unused for {idle} days, revoked in {max(90 - idle, 0)}"
        if token.get("autoscope_state") in _OBSERVED:
            known = {*(token.get("inferred_scopes") or ()), *(token.get("backfill_scopes") or ())}
            if unused := sorted(set(scopes) - known):
                said["unused-scopes"] = f"{len(unused)} of {len(scopes)} never used: {', '.join(unused)}"
        comment = token.get("comment") or ""
        letters = _LETTERS.sub(" ", comment.lower()).strip()
        if len(letters) < 2 or letters.rstrip(" 0123456789") in EMPTY_WORDS:
            said["no-comment"] = f"comment: {comment}" if comment else "no comment"
        return said


def _scim(get: Get, resource: str) -> dict[str, Any]:
    """Return every identity of a kind, page after page."""
    found: dict[str, Any] = {}
    while True:
        page = get(f"preview/scim/v2/{resource}?count=10000&startIndex={len(found) + 1}").get("Resources")
        if not page:
            return found
        found |= {each["id"]: each for each in page}


def measure(host: str, credential: str) -> dict[str, Any]:
    """Return the figures of the workspace that is served there."""
    workspace = tokenkit.connect(host=host, token=credential)
    context = Context(
        now=workspace.now(),
        identities=workspace.identities(),
        permissions=workspace.token_management.get_permissions(),
        settings=workspace.token_settings(),
    )
    listing = workspace.token_management.list()
    gc.collect()
    before = _forget_peak()
    audit = audits.audit(listing, context)
    memory = _peak_mb() - before
    ours = set(zip(audit.findings["rule"], audit.findings["token_id"].fillna(""), strict=True))
    findings = len(audit.findings)
    del audit

    def get(path: str) -> Any:  # noqa: ANN401 - JSON
        answer = requests.get(f"{host}/api/2.0/{path}", headers={"Authorization": f"Bearer {credential}"}, timeout=600)
        return answer.json()

    loop = Loop(get, int(context.now.timestamp() * 1000))
    documents = get("token-management/tokens")["token_infos"]
    theirs = {(found[0], found[3] or "") for found in loop.findings(documents)}
    # In turns, so that a slow moment of the machine is not all on one side.
    both = [
        (_seconds(lambda: loop.findings(documents)), _seconds(lambda: audits.audit(listing, context)))
        for _ in range(REPEATS)
    ]
    slow, fast = (min(each) for each in zip(*both, strict=True))
    differing = {rule for rule, _ in ours ^ theirs} - {"no-maximum", "everyone-may"}
    return {
        "tokens": len(listing),
        "findings": findings,
        "loop_seconds": slow,
        "audit_seconds": fast,
        "memory_mb": memory,
        "differing": sorted(differing),
    }


def show(figures: dict[str, Any]) -> None:
    """Print a line of what was measured, and keep it for the table."""
    tokens, loop_seconds, audit_seconds = (figures[name] for name in ("tokens", "loop_seconds", "audit_seconds"))
    times, memory_mb, differing = loop_seconds / audit_seconds, figures["memory_mb"], figures["differing"]
    print(
        f"{tokens:9,} tokens  {figures['findings']:9,} findings  loop {loop_seconds:6.2f} s  "
        f"audit {audit_seconds:5.2f} s  {times:4.1f}x  {memory_mb:5.0f} MB more"
        + (f"  they differ on {differing}" if differing else ""),
        flush=True,
    )
    note(f"audit of {tokens:,} tokens, against a loop", times, least=GOAL if tokens == SIZES[-1] else None)
    note(f"audit of {tokens:,} tokens, memory more", memory_mb, unit=" MB")


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _forget_peak() -> float:
    """Make the process's peak of memory what it has now, and return that in MB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only the smallest")
    for size in SIZES[:1] if parser.parse_args().quick else SIZES:
        with sandbox(size) as where:
            program = (
                "import json; from benchmarks.audit import measure; "
                f"print(json.dumps(measure({where['host']!r}, {where['token']!r})))"
            )
            measured = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
            show(json.loads(measured.stdout))


if __name__ == "__main__":
    main()
