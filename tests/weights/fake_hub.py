"""A Hugging Face hub on this machine: the part of its HTTP interface that creates, commits and downloads models."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_mine"


class FakeHub(ThreadingHTTPServer):
    """Models by name: the files of each commit, the commit of each branch. TOKEN gives permission to write to `me`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str, branch: str, files: dict[str, bytes]) -> str:
        earlier = self.commits[name].get(self.branches[name].get(branch, ""), {})
        whole = earlier | files
        sha = hashlib.sha1(repr((branch, len(self.commits[name]), sorted(whole.items()))).encode()).hexdigest()
        self.commits[name][sha], self.branches[name][branch] = whole, sha
        return sha

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        return self.commits[name][self.branches[name].get(revision, revision)]


class Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep standard error quiet."""

    def handle_one_request(self) -> None:
        # a client that disconnects is not an error here
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0].strip("/").split("/")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid username or password."})
        if path == ["api", "repos", "create"]:
            asked = json.loads(content)
            name = f"{asked['organization'] or 'me'}/{asked['name']}"
            if not name.startswith("me/"):
                return self.answer(403, {"error": f"You don't have the rights to create a model under {name}"})
            there = name in self.server.commits
            self.server.commits.setdefault(name, {})
            self.server.branches.setdefault(name, {})
            return self.answer(409 if there else 200, {"url": f"{self.server.endpoint}/{name}"})
        if path == ["api", "validate-yaml"]:
            return self.answer(200, {"errors": [], "warnings": []})
        name, what, branch = "/".join(path[2:4]), path[4], path[5]
        if what == "preupload":
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(content)["files"]
            ]
            return self.answer(200, {"files": files})
        lines = [json.loads(line) for line in content.splitlines()]
        files = {
            each["value"]["path"]: base64.b64decode(each["value"]["content"]) for each in lines if each["key"] == "file"
        }
        sha = self.server.commit(name, branch, files)
        return self.answer(200, {"commitUrl": f"{self.server.endpoint}/{name}/commit/{sha}", "commitOid": sha})

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0].strip("/").split("/")
        is_api = path[0] == "api"
        name, rest = "/".join(path[2:4] if is_api else path[:2]), path[4 if is_api else 2 :]
        if name not in self.server.commits:
            return self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        revision = rest[1] if len(rest) > 1 else "main"
        sha = self.server.branches[name].get(revision, revision)
        if sha not in self.server.commits[name]:
            return self.answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        files = self.server.commits[name][sha]
        if not is_api:
            found = files.get("/".join(rest[2:]))
            if found is None:
                return self.answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return self.answer(200, found, {"ETag": f'"{_oid(found)}"', "X-Repo-Commit": sha})
        if rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": each, "size": len(found), "oid": _oid(found)} for each, found in files.items()
            ]
            return self.answer(200, tree)
        return self.answer(200, {"id": name, "sha": sha, "siblings": [{"rfilename": each} for each in files]})

    do_HEAD = do_GET

    def answer(self, code: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/octet-stream" if content is body else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serving() -> Iterator[FakeHub]:
    """A hub that answers while the block runs."""
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
