"""A registry on loopback that serves the stand-in image under every name, and can be told to fail.

Each name's image has a last layer of its own, so that the daemon has none of them before it pulls. Its protocol:
https://distribution.github.io/distribution/spec/api/. The names are those the Supabase CLI asks for when
SUPABASE_INTERNAL_IMAGE_REGISTRY is the registry's address.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_OWN_BYTES = 1 << 21


@dataclass
class Registry:
    """address: host and port. missing: names it does not know. failing: how many manifests it next fails to give.

    pulled: the paths asked for.
    """

    address: str
    missing: set[str] = field(default_factory=set)
    failing: int = 0
    pulled: list[str] = field(default_factory=list)


@contextmanager
def serving(client: docker.DockerClient, image: str, folder: Path) -> Iterator[Registry]:
    """Serve the image from files in `folder`."""
    original = _read(client, image, folder)
    made: dict[str, bytes] = {}  # manifests, configurations and last layers by digest

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            registry.pulled.append(self.path)
            name, _, wanted = self.path.removeprefix("/v2/").partition("/manifests/")
            digest = self.path.rpartition("/")[2]
            if self.path == "/v2/":
                self._send(200, b"{}", "application/json")
            elif wanted and registry.failing > 0:
                registry.failing -= 1
                self._send(503, b"try again", "text/plain")
            elif wanted and name not in registry.missing:
                parts = original.named(name)
                made.update({_digest(part): part for part in parts})
                self._send(200, parts[0], _MANIFEST)
            elif digest in made:
                self._send(200, made[digest], "application/octet-stream")
            elif digest in original.blobs:
                self._send_layer(original.blobs[digest])
            else:
                error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
                self._send(404, json.dumps(error).encode(), "application/json")

        do_HEAD = do_GET

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def _send_layer(self, layer: Path) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(layer.stat().st_size))
            self.end_headers()
            if self.command == "GET":
                with layer.open("rb") as file:
                    shutil.copyfileobj(file, self.wfile)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """The daemon hangs up when a pull is given up."""

    server = Server(("127.0.0.1", 0), Handler)
    registry = Registry(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for found in client.images.list():
            for name in found.tags:
                if name.startswith(f"{registry.address}/"):
                    client.images.remove(name, force=True)


@dataclass(frozen=True)
class _Image:
    """What `docker save` tells of an image. blobs: its layers' files by digest, in order."""

    config: dict[str, Any]
    blobs: dict[str, Path]

    def named(self, name: str) -> tuple[bytes, bytes, bytes]:
        """The manifest, the configuration and the last layer of that name's image."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            entry = tarfile.TarInfo("pulled-as")
            entry.size = _OWN_BYTES
            tar.addfile(entry, io.BytesIO(name.encode().ljust(_OWN_BYTES)))
        last = layer.getvalue()
        rootfs = self.config["rootfs"]
        config = json.dumps(
            {**self.config, "history": [], "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], _digest(last)]}}
        ).encode()
        layers = [(digest, path.stat().st_size) for digest, path in self.blobs.items()] + [(_digest(last), len(last))]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": _digest(config), "size": len(config)},
            "layers": [{"mediaType": _LAYER, "digest": digest, "size": size} for digest, size in layers],
        }
        return json.dumps(manifest).encode(), config, last


def _read(client: docker.DockerClient, image: str, folder: Path) -> _Image:
    saved = folder / "saved.tar"
    with saved.open("wb") as file:
        for chunk in client.images.get(image).save():
            file.write(chunk)
    with tarfile.open(saved) as tar:
        tar.extractall(folder, filter="data")
    saved.unlink()
    [listed] = json.loads((folder / "manifest.json").read_text())
    config = json.loads((folder / listed["Config"]).read_text())
    layers = [folder / layer for layer in listed["Layers"]]
    return _Image(config, dict(zip(config["rootfs"]["diff_ids"], layers, strict=True)))  # uncompressed: one digest


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
