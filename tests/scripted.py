"""A tenant of any PSA as a script: each test says which answer each path gives, and sees what was asked."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import responses

HTML = "<html><body>404 - File or directory not found.</body></html>"


class Turns(list):
    """Answers given one after the other, the last one for ever."""


class Script:
    """Answers by method and path; each answer a body, a (status, body[, headers]), an exception or a function."""

    ROOT = ""  # what paths begin with that tests do not name, as a pattern

    def __init__(self, answers):
        self.seen = []
        self.answers = answers

    def put(self, method, path, *answers):
        """Answer these in turn, the last one for ever."""
        self.answers[method, path] = Turns(answers)

    def answer(self, request):
        path = re.sub(f"^{self.ROOT}", "", urlsplit(request.url).path)
        body = json.loads(request.body) if request.body else None
        self.seen.append((request.method, path, body, request))
        answer = self.answers.get((request.method, path), (404, HTML))
        if isinstance(answer, Turns):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        status, content, *headers = answer if isinstance(answer, tuple) else (200, answer)
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        return status, headers[0] if headers else {}, content

    def calls(self, pattern="", method=None):
        return [f"{m} {p}" for m, p, _, _ in self.seen if re.search(pattern, p) and method in (None, m)]

    def bodies(self, path):
        return [body for _, p, body, _ in self.seen if p == path]

    def serve(self):
        """Answer every request of this process, as a fixture."""
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
                mock.add_callback(method, re.compile(".*"), self.answer)
            yield self
