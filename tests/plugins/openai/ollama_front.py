"""Ollama's API in front of llama.cpp's own server: Ollama itself comes in no package.

    python ollama_front.py SERVER

Prints its address; ends with its standard input. It speaks what Ollama's `docs/api.md` says and
refuses whatever that does not name. Models: `smol:latest`, `smol:cloud` (said to run elsewhere)
and `vectors:latest` (which cannot chat).
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

OPTIONS = {
    "num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n",
    "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "num_ctx",
    "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread",
}  # fmt: skip
FIELDS = {"model", "messages", "stream", "options", "truncate", "shift", "format", "keep_alive"}
SERVER = sys.argv[1]


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/api/version":
            self.answer(200, {"version": "0.14.0"})
        elif self.path == "/api/tags":
            self.answer(200, {"models": [{"name": "smol:latest"}, {"name": "vectors:latest"}]})
        else:
            self.answer(404, "404 page not found")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body["model"].removesuffix(":latest")
        if name not in ("smol", "smol:cloud", "vectors"):
            self.answer(404, {"error": f"model '{body['model']}' not found"})
        elif self.path == "/api/show":
            self.show(name)
        elif unknown := (body.keys() - FIELDS) | (body["options"].keys() - OPTIONS):
            self.answer(400, {"error": f"unknown: {unknown}"})
        else:
            self.chat(body)

    def show(self, name: str) -> None:
        told: dict[str, object] = {
            "details": {"family": "llama"},
            "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
            "capabilities": ["embedding"] if name == "vectors" else ["completion"],
        }
        if name == "smol:cloud":
            told |= {"remote_host": "https://ollama.invalid:443", "remote_model": "smol"}
        self.answer(200, told)

    def chat(self, body: dict) -> None:
        options = dict(body["options"])
        length = options.pop("num_ctx")
        words = sum(len(message["content"].split()) for message in body["messages"])
        if words > length and not body["truncate"]:
            self.answer(400, {"error": "the input length exceeds the context length"})
            return
        wanted = {
            "messages": body["messages"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": False,
            "max_tokens": options.pop("num_predict", -1),
            **options,
        }
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        reason = "stop"
        with httpx2.stream(
            "POST", f"{SERVER}/v1/chat/completions", json=wanted, timeout=60
        ) as response:
            for line in response.iter_lines():
                if not line.startswith("data: {"):
                    continue
                told = json.loads(line[6:])
                for choice in told["choices"]:
                    reason = choice["finish_reason"] or reason
                    if text := choice["delta"].get("content"):
                        self.line(body, message={"role": "assistant", "content": text}, done=False)
                if usage := told.get("usage"):
                    self.line(
                        body,
                        message={"role": "assistant", "content": ""},
                        done=True,
                        done_reason=reason,
                        total_duration=10_000_000,
                        load_duration=1_000_000,
                        prompt_eval_count=usage["prompt_tokens"],
                        prompt_eval_duration=4_000_000,
                        eval_count=usage["completion_tokens"],
                        eval_duration=5_000_000,
                    )

    def line(self, body: dict, **told: object) -> None:
        head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        self.wfile.write(json.dumps(head | told).encode() + b"\n")
        self.wfile.flush()

    def answer(self, status: int, told: object) -> None:
        data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
