"""Measure the speed and the memory of an audit, compared with a loop over the documents with the same rules.

    python -m benchmarks.audit                 # 250,000, 500,000 and 1,000,000 tokens, about five minutes

The sandbox runs in a separate process, and each size is measured in a new process. The input is already in memory: the
typed listing and the identities, or the documents that ``json`` returns. The findings of both are compared.
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
from tokenkit.core.redaction import SECRET, redact
from tokenkit.review import audit as audits
from tokenkit.review.access import ADMINS
from tokenkit.review.rule import Context
from tokenkit.review.rules import PLACEHOLDER_COMMENTS, RULES

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
    """The rules without a frame: conditions in a loop over the documents."""

    def __init__(self, get: Get, now_ms: int) -> None:
        self.users, self.service_principals, groups = (
            _scim(get, resource) for resource in ("Users", "ServicePrincipals", "Groups")
        )
        self.admins: set[str] = set()
        todo = [group for group in groups.values() if group["displayName"] == ADMINS]
        for group in todo:
            for member in group.get("members") or ():
                inner = groups.get(member["value"])
                todo += [inner] if inner and inner not in todo else []
                self.admins.add(member["value"])
        conf = get("preview/workspace-conf?keys=maxTokenLifetimeDays")
        self.maximum = int(conf.get("maxTokenLifetimeDays") or 0)
        self.now_ms = now_ms

    def findings(self, tokens: list[dict[str, Any]]) -> list[tuple[str | None, ...]]:
        """Return rule, severity, remedy, token, owner and evidence of each finding."""
        found: list[tuple[str | None, ...]] = []
        counts: Counter[str] = Counter()
        names: dict[str, str] = {}
        for token in tokens:
            owner_id = str(token["owner_id"])
            identity = self.users.get(owner_id) or self.service_principals.get(owner_id)
            owner = self._name(token, owner_id, identity)
            working = token["expiry_time"] == -1 or token["expiry_time"] > self.now_ms
            evidence_by_rule = self._evidence(token, owner_id, identity) if working else {}
            if working:
                counts[owner_id] += 1
                names[owner_id] = owner
            comment = token.get("comment")
            if comment and _SECRET.search(comment):
                evidence_by_rule["secret-in-comment"] = "comment: " + redact(comment)[:80]
            for rule, evidence in evidence_by_rule.items():
                found.append((*_REMEDIES[rule], token["token_id"], owner, evidence))
        near = [(owner_id, count) for owner_id, count in counts.items() if count >= 480]
        found += [
            (*_REMEDIES["near-token-quota"], None, names[owner_id], f"{count} tokens of 600")
            for owner_id, count in near
        ]
        return found

    @staticmethod
    def _name(token: dict[str, Any], owner_id: str, identity: dict[str, Any] | None) -> str:
        if identity is None:
            is_own = token["created_by_id"] == token["owner_id"]
            return str(token["created_by_username"]) if is_own else owner_id
        return str(identity.get("userName") or identity.get("displayName"))

    def _evidence(self, token: dict[str, Any], owner_id: str, identity: dict[str, Any] | None) -> dict[str, str]:  # noqa: C901, PLR0912  # one condition per rule
        evidence_by_rule = {}
        now, created, expiry = self.now_ms, token["creation_time"], token["expiry_time"]
        used = token.get("last_used_day")
        if identity is None or identity.get("active") is False:
            evidence_by_rule["inactive-owner"] = "the owner is inactive" if identity else "the owner was deleted"
        if owner_id in self.service_principals and token["created_by_id"] != token["owner_id"]:
            creator_id = str(token["created_by_id"])
            creator = self.users.get(creator_id) or self.service_principals.get(creator_id)
            if creator is None or creator.get("active") is False:
                how = "is inactive" if creator else "was deleted"
                evidence_by_rule["inactive-creator"] = f"its creator {token['created_by_username']} {how}"
        if (
            owner_id in self.service_principals
            and owner_id in self.admins
            and token["created_by_id"] != token["owner_id"]
        ):
            evidence_by_rule["admin-service-principal"] = "an admin through admins"
        scopes = token.get("scopes") or ()
        if broad := [scope for scope in ("all-apis", "authentication") if scope in scopes]:
            evidence_by_rule["broad-scope"] = f"granted {', '.join(broad)}"
        if expiry == -1:
            evidence_by_rule["no-expiry"] = f"no expiry, {(now - created) // DAY} days old"
            if self.maximum:
                evidence_by_rule["lifetime-over-maximum"] = f"never expires, the maximum is {self.maximum} days"
        else:
            lifetime = (expiry - created) / DAY
            if lifetime > 90:
                evidence_by_rule["long-lifetime"] = f"lifetime of {lifetime:.1f} days, more than 90"
            if self.maximum and lifetime > self.maximum:
                evidence_by_rule["lifetime-over-maximum"] = (
                    f"lifetime of {lifetime:.1f} days, the maximum is {self.maximum}"
                )
        disuse = max(used or created, created) + 90 * DAY
        end = disuse if expiry == -1 else min(disuse, expiry)
        if end - now <= 7 * DAY:
            evidence_by_rule["expires-soon"] = f"days remaining: {max((end - now) // DAY, 0)}"
        if used is None:
            if now - created >= 30 * DAY:
                evidence_by_rule["never-used"] = f"never used in {(now - created) // DAY} days"
        elif (idle := (now - max(used, created)) // DAY) >= 60:
            evidence_by_rule["unused"] = f"unused for {idle} days, revoked in {max(90 - idle, 0)}"
        if token.get("autoscope_state") in _OBSERVED:
            known = {*(token.get("inferred_scopes") or ()), *(token.get("backfill_scopes") or ())}
            if unused := sorted(set(scopes) - known):
                evidence_by_rule["unused-scopes"] = f"{len(unused)} of {len(scopes)} never used: {', '.join(unused)}"
        comment = token.get("comment") or ""
        letters = _LETTERS.sub(" ", comment.lower()).strip()
        if len(letters) < 2 or letters.rstrip(" 0123456789") in PLACEHOLDER_COMMENTS:
            evidence_by_rule["no-comment"] = f"comment: {comment}" if comment else "no comment"
        return evidence_by_rule


def _scim(get: Get, resource: str) -> dict[str, Any]:
    """Return all identities of a resource type."""
    found: dict[str, Any] = {}
    while True:
        page = get(f"preview/scim/v2/{resource}?count=10000&startIndex={len(found) + 1}").get("Resources")
        if not page:
            return found
        found |= {identity["id"]: identity for identity in page}


def measure(host: str, credential: str) -> dict[str, Any]:
    """Return the figures of a workspace."""
    workspace = tokenkit.connect(host=host, token=credential)
    context = Context(
        now=workspace.now(),
        identities=workspace.identities(),
        permissions=workspace.token_management.get_permissions(),
        settings=workspace.token_settings(),
    )
    listing = workspace.token_management.list()
    gc.collect()
    before = _reset_peak()
    audit = audits.audit(listing, context)
    memory = _peak_mb() - before
    ours = set(zip(audit.findings["rule"], audit.findings["token_id"].fillna(""), strict=True))
    findings = len(audit.findings)
    del audit

    def get(path: str) -> Any:  # noqa: ANN401 - JSON
        response = requests.get(
            f"{host}/api/2.0/{path}", headers={"Authorization": f"Bearer {credential}"}, timeout=600
        )
        return response.json()

    loop = Loop(get, int(context.now.timestamp() * 1000))
    documents = get("token-management/tokens")["token_infos"]
    theirs = {(found[0], found[3] or "") for found in loop.findings(documents)}
    # Alternately, so that a slow moment of the machine affects both.
    both = [
        (_seconds(lambda: loop.findings(documents)), _seconds(lambda: audits.audit(listing, context)))
        for _ in range(REPEATS)
    ]
    slow, fast = (min(times) for times in zip(*both, strict=True))
    differing = {rule for rule, _ in ours ^ theirs} - {"no-maximum-lifetime", "all-users-can-use"}
    return {
        "tokens": len(listing),
        "findings": findings,
        "loop_seconds": slow,
        "audit_seconds": fast,
        "memory_mb": memory,
        "differing": sorted(differing),
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures of one size, and add them to the table."""
    tokens, loop_seconds, audit_seconds = (figures[name] for name in ("tokens", "loop_seconds", "audit_seconds"))
    times, memory_mb, differing = loop_seconds / audit_seconds, figures["memory_mb"], figures["differing"]
    print(
        f"{tokens:9,} tokens  {figures['findings']:9,} findings  loop {loop_seconds:6.2f} s  "
        f"audit {audit_seconds:5.2f} s  {times:4.1f}x  {memory_mb:5.0f} MB additional"
        + (f"  findings differ: {differing}" if differing else ""),
        flush=True,
    )
    note(f"audit of {tokens:,} tokens, compared with a loop", times, least=GOAL if tokens == SIZES[-1] else None)
    note(f"audit of {tokens:,} tokens, additional memory", memory_mb, unit=" MB")


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _reset_peak() -> float:
    """Reset the peak memory of the process to its current memory, and return it in MB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def main() -> None:
    """Measure each size in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size only")
    for size in SIZES[:1] if parser.parse_args().quick else SIZES:
        with sandbox(size) as served:
            program = (
                "import json; from benchmarks.audit import measure; "
                f"print(json.dumps(measure({served['host']!r}, {served['token']!r})))"
            )
            measured = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
            show(json.loads(measured.stdout))


if __name__ == "__main__":
    main()
