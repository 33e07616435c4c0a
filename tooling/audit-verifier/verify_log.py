#!/usr/bin/env python3
"""A second verifier of audit exports: Python's standard library and the openssl command, no line shared with the first.

    verify_log.py EXPORT... --key VKEY [--anchor FILE]...

Prints one line of JSON for each export. Exit codes as portcullis-audit: 0 in order, 1 could not run, 2 tampered, 3 in order as far as
could be seen; of several exports the worst.
Written from the README of @portcullis/audit, RFC 6962, RFC 8785 and the C2SP specifications.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ZERO = bytes(32)


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text, length=None):
    """Canonical base64 only."""
    data = base64.b64decode(text, validate=True)
    if b64(data) != text or (length is not None and len(data) != length):
        raise ValueError("base64")
    return data


# --- Ed25519 by openssl ------------------------------------------------------------------------------------------------

SPKI = bytes.fromhex("302a300506032b6570032100")


class OpenSsl:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.verdicts = {}  # exports of one log share most of their signatures

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def verifies(self, public, message, signature):
        if len(public) != 32 or len(signature) != 64:
            return False
        asked = (public, message, signature)
        if asked not in self.verdicts:
            self.verdicts[asked] = self.run(public, message, signature)
        return self.verdicts[asked]

    def run(self, public, message, signature):
        key = self.write("key", SPKI + public)
        text = self.write("message", message)
        sig = self.write("signature", signature)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin", "-in", text, "-sigfile", sig]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


# --- RFC 8785 ----------------------------------------------------------------------------------------------------------

SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def jcs(value):
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return '"' + "".join(SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{jcs(name)}:{jcs(value[name])}" for name in names) + "}"


def number(value):
    """As ECMAScript writes numbers; Python finds the same shortest digits."""
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + part) - len((whole + part).lstrip("0")))
    digits = digits.rstrip("0") or "0"
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    rest = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# --- RFC 6962 ----------------------------------------------------------------------------------------------------------


def leaf_hash(body):
    return hashlib.sha256(b"\0" + body).digest()


class Tree:
    def __init__(self):
        self.size = 0
        self.edge = []  # (number of leaves, hash), the largest first

    def append(self, leaf):
        self.size += 1
        count, hashed = 1, leaf
        while self.edge and self.edge[-1][0] == count:
            hashed = hashlib.sha256(b"\1" + self.edge.pop()[1] + hashed).digest()
            count *= 2
        self.edge.append((count, hashed))

    def root(self):
        if not self.edge:
            return hashlib.sha256(b"").digest()
        hashed = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            hashed = hashlib.sha256(b"\1" + left + hashed).digest()
        return hashed


# --- C2SP --------------------------------------------------------------------------------------------------------------


class LogKey:
    def __init__(self, vkey, openssl):
        name, key_id, data = vkey.split("+", 2)
        typed = unb64(data, 33)
        digest = hashlib.sha256(name.encode() + b"\n" + typed).digest()
        if typed[0] != 1 or digest[:4].hex() != key_id:
            raise ValueError("This is no verifier key of Ed25519.")
        self.name, self.id, self.public, self.openssl = name, digest[:4], typed[1:], openssl

    def open(self, note):
        """(size, root) of a checkpoint that this key signed, else None."""
        try:
            text, _, lines = note.rpartition("\n\n")
            text += "\n"
            name, size, root = text.split("\n")[:3]
            if name != self.name or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or not lines.endswith("\n"):
                return None
            signed = False
            for line in lines[:-1].split("\n"):
                dash, signer, signature = line.split(" ")
                data = unb64(signature)
                if dash != "\u2014":
                    return None
                if signer == self.name and data[:4] == self.id:
                    if not self.openssl.verifies(self.public, text.encode(), data[4:]):
                        return None
                    signed = True
            return (int(size), unb64(root, 32)) if signed else None
        except ValueError:
            return None


# --- the log -----------------------------------------------------------------------------------------------------------


class Writer:
    def __init__(self):
        self.next, self.head, self.key, self.successor, self.covered = 0, ZERO, None, None, 0


class Log:
    def __init__(self, key, anchors):
        self.key = key
        self.pruned = 0
        self.statement = None
        self.recorded = {}  # digest of a statement: up to where
        self.problems = []
        self.writers = {}
        self.tree = Tree()
        self.entries = self.batches = self.checkpoints = self.sealed = self.anchored = 0
        opened = [key.open(note) for note in anchors]
        self.rejected = opened.count(None)
        self.anchors = sorted((one for one in opened if one and one[0] > 0), reverse=True)
        self.has_anchors = bool(self.anchors)

    def line(self, number, line):
        if not line:
            return
        if line.startswith(b'{"batch":'):
            problem = self.batch(json.loads(line))
        elif line.startswith(b'{"checkpoint":'):
            problem = self.checkpoint(json.loads(line))
        elif line.startswith(b'{"pruned":'):
            problem = self.begin(line)
        else:
            problem = self.entry(line)
        if problem:
            self.problems.append((number, problem))

    def entry(self, line):
        self.entries += 1
        body = json.loads(line, object_pairs_hook=without_duplicates)
        if jcs(body).encode() != line:
            return "not canonical"
        writer = self.writers.setdefault(body["w"], Writer())
        leaf = leaf_hash(line)
        problem = None
        if body["v"] != 1 or body["log"] != self.key.name:
            problem = "of another log"
        elif body["n"] != writer.next or unb64(body["p"], 32) != writer.head:
            problem = "does not follow the one before"
        own = body["e"]["type"] if body["k"] == "log" else None
        if body["n"] == 0:
            data = body["e"].get("data", {})
            statement = f"portcullis-audit writer v1\n{self.key.name}\n{body['w']}\n{data.get('key')}\n".encode()
            certified = own == "writer.opened" and self.key.openssl.verifies(
                self.key.public, statement, unb64(data.get("certificate", ""))
            )
            writer.key = unb64(data["key"], 32) if certified else None
            problem = problem or (None if certified else "writer not certified")
        elif own == "writer.key-changed":
            writer.successor = unb64(body["e"]["data"]["key"], 32)
        elif own == "retention.pruned":
            self.recorded[body["e"]["data"]["statement"]] = body["e"]["data"]["to"]
        writer.head, writer.next = leaf, body["n"] + 1
        self.tree.append(leaf)
        while self.anchors and self.anchors[-1][0] == self.tree.size:
            if self.anchors.pop()[1] == self.tree.root():
                self.anchored = self.tree.size
            else:
                problem = problem or "not what the anchor holds"
        return problem

    def begin(self, line):
        """Entries before were removed by retention: only as the log's key signed it."""
        given = json.loads(line, object_pairs_hook=without_duplicates)
        pruned = given["pruned"]
        start, end = pruned["from"], pruned["to"]
        if self.entries or self.statement or jcs(given).encode() != line or not 0 <= start < end:
            return "no removal of entries can stand here"
        state = jcs({"frontier": pruned["frontier"], "writers": pruned["writers"]}).encode()
        statement = (
            f"portcullis-audit prune v1\n{self.key.name}\n{start}\n{end}\n{pruned['root']}\n"
            f"{b64(hashlib.sha256(state).digest())}\n"
        ).encode()
        if not self.key.openssl.verifies(self.key.public, statement, unb64(pruned["signature"], 64)):
            return "entries were removed, and the log did not sign it"
        sizes = [1 << bit for bit in reversed(range(end.bit_length())) if end >> bit & 1]
        tree = Tree()
        tree.size = end
        tree.edge = list(zip(sizes, (unb64(one, 32) for one in pruned["frontier"]), strict=True))
        if b64(tree.root()) != pruned["root"]:
            return "not the root of what was removed"
        self.tree, self.pruned, self.sealed, self.statement = tree, end, end, hashlib.sha256(statement).hexdigest()
        for one in pruned["writers"]:
            writer = self.writers[one["w"]] = Writer()
            writer.next = writer.covered = one["n"]
            writer.head = unb64(one["head"], 32)
            writer.key = unb64(one["key"], 32) if "key" in one else None
        self.anchors = [one for one in self.anchors if one[0] >= end]
        self.has_anchors = bool(self.anchors)
        if self.anchors and self.anchors[-1][0] == end:
            self.anchored = end
            return None if self.anchors.pop()[1] == tree.root() else "not what the anchor holds"
        return None

    def batch(self, line):
        self.batches += 1
        batch = line["batch"]
        writer = self.writers.get(batch["writer"])
        if not writer or batch["last"] != writer.next - 1:
            return "entries are missing"
        statement = f"portcullis-audit batch v1\n{self.key.name}\n{batch['writer']}\n{batch['last']}\n{b64(writer.head)}\n"
        good = writer.key and self.key.openssl.verifies(writer.key, statement.encode(), unb64(batch["signature"]))
        writer.covered = writer.next
        if writer.successor:
            writer.key, writer.successor = writer.successor, None
        return None if good else "wrong signature"

    def checkpoint(self, line):
        self.checkpoints += 1
        opened = self.key.open(line["checkpoint"])
        if not opened:
            return "no checkpoint of this log"
        self.sealed = max(self.sealed, opened[0])
        return None if opened == (self.tree.size, self.tree.root()) else "not the root of the checkpoint"

    def finish(self):
        for name, writer in self.writers.items():
            if writer.covered < writer.next:
                self.problems.append((0, f"entries of {name} are in no batch"))
        if self.entries == 0:
            self.problems.append((0, "no entry"))
        if self.statement and self.statement not in self.recorded:
            self.problems.append((0, "the log has no record of the removal of its beginning"))
        for size, _ in self.anchors:
            self.problems.append((0, f"an anchor holds {size} entries"))


def without_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("duplicate name")
    return dict(pairs)


def read_anchor(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if not text.startswith("{"):
        return [text]
    return [json.loads(line)["checkpoint"] for line in text.splitlines() if line.endswith("}")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("exports", nargs="+", metavar="EXPORT")
    parser.add_argument("--key", required=True)
    parser.add_argument("--anchor", action="append", default=[])
    given = parser.parse_args()
    openssl = OpenSsl()
    anchors = [note for path in given.anchor for note in read_anchor(path)]
    codes = []
    for path in given.exports:
        log = Log(LogKey(given.key, openssl), anchors)
        codes.append(verify(path, log))
    return next((code for code in (2, 3) if code in codes), 0)


def verify(path, log):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                log.line(number, line.rstrip(b"\n"))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                log.problems.append((number, f"this is no line of a log: {type(error).__name__}"))
    log.finish()
    unfinished = max(log.recorded.values(), default=0) > log.pruned
    warned = log.rejected > 0 or not log.has_anchors or log.checkpoints == 0 or unfinished
    code = 2 if log.problems else 3 if warned else 0
    counts = ("entries", "batches", "checkpoints", "sealed", "anchored", "pruned")
    result = {name: getattr(log, name) for name in counts}
    result.update(writers=len(log.writers), tampered=[{"line": line, "problem": problem} for line, problem in log.problems[:100]])
    print(json.dumps({"code": code, **result}))
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:  # noqa: BLE001 - whatever it is: it could not run
        print(f"verify_log: {error}", file=sys.stderr)
        sys.exit(1)
