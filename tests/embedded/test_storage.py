"""Storage's answers: what supabase-py's client is told, what policies decide, and what config.toml makes."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError

from promthctl.engines.embedded.storage_settings import storage_settings
from promthctl.errors import UsageError
from promthctl.toolchain import Toolchain
from tests.rest_server import Rest, rest_server, token
from tests.servers import Server, fresh_database

ALICE, BOB = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
CONFIG = {
    "file_size_limit": "1KiB",
    "buckets": {
        "docs": {"public": False},
        "open": {"public": True},
        "small": {"file_size_limit": "10B", "allowed_mime_types": ["text/*"]},
    },
}
POLICIES = b"""
create policy own on storage.objects to authenticated
 using (bucket_id = 'docs' and (storage.foldername(name))[1] = auth.uid()::text)
 with check (bucket_id = 'docs' and (storage.foldername(name))[1] = auth.uid()::text);
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / "storage"


@pytest.fixture(scope="module")
def running(server: Server, tools: Toolchain, folder: Path) -> Iterator[Rest]:
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(POLICIES)
        with rest_server(url, tools, storage=CONFIG, folder=folder) as rest:
            yield rest


def client(running: Rest, user: str | None = None) -> SyncStorageClient:
    """storage3 as a user, or with the service key."""
    bearer = token(role="authenticated", sub=user) if user else running.service_key
    headers = {"apikey": running.anon_key, "Authorization": f"Bearer {bearer}"}
    return SyncStorageClient(f"http://127.0.0.1:{running.port}/storage/v1/", headers)


def refused(work: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(StorageApiError) as caught:
        work(*arguments)
    return str(caught.value.status), caught.value.message


def get(running: Rest, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"http://127.0.0.1:{running.port}/storage/v1/{path}", headers=named)


def test_buckets_of_config_are_made_and_others_managed(running: Rest) -> None:
    storage = client(running)
    assert {(bucket.id, bucket.public) for bucket in storage.list_buckets()} >= {("docs", False), ("open", True)}
    assert storage.get_bucket("small").file_size_limit == 10
    storage.create_bucket("made", options={"public": True, "allowed_mime_types": ["image/png"]})
    assert refused(storage.create_bucket, "made") == ("409", "The resource already exists")
    storage.update_bucket("made", {"public": False})
    assert not storage.get_bucket("made").public
    storage.from_("made").upload("a/b.png", b"x", {"content-type": "image/png"})
    assert refused(storage.delete_bucket, "made")[0] == "409"
    storage.empty_bucket("made")
    storage.delete_bucket("made")
    assert refused(storage.get_bucket, "made") == ("404", "Bucket not found")
    assert refused(storage.create_bucket, "a/b")[0] == "400"


def test_objects_are_uploaded_read_moved_copied_and_deleted(running: Rest, folder: Path) -> None:
    files = client(running).from_("docs")
    files.upload("x/one.txt", b"one", {"content-type": "text/plain", "metadata": {"k": "v"}})
    assert refused(files.upload, "x/one.txt", b"two")[0] == "409"
    files.upload("x/one.txt", b"two", {"upsert": "true", "content-type": "text/plain", "cache-control": "60"})
    assert files.download("x/one.txt") == b"two"
    files.update("x/one.txt", b"three", {"content-type": "text/plain"})
    assert files.info("x/one.txt")["size"] == 5
    assert files.exists("x/one.txt") and not files.exists("x/none.txt")
    files.copy("x/one.txt", "y/two.txt")
    files.move("x/one.txt", "y/one.txt")
    assert [entry["name"] for entry in files.list("y")] == ["one.txt", "two.txt"]
    assert [(entry["name"], entry["id"]) for entry in files.list()] == [("y", None)]
    assert [entry["name"] for entry in files.list("y", {"limit": 1, "offset": 1, "search": ""})] == ["two.txt"]
    kept = [path.stat() for path in folder.iterdir()]
    assert len(kept) == 2 and {stat.S_IMODE(one.st_mode) for one in kept} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {entry["name"] for entry in files.remove(["y/one.txt", "y/two.txt", "z"])} == {"y/one.txt", "y/two.txt"}
    assert list(folder.iterdir()) == []


def test_policies_decide(running: Rest) -> None:
    alice, bob = (client(running, user).from_("docs") for user in (ALICE, BOB))
    path = f"{ALICE}/secret.txt"
    alice.upload(path, b"mine")
    assert alice.download(path) == b"mine"
    assert refused(bob.download, path) == ("404", "Object not found")
    assert refused(bob.upload, path, b"x", {"upsert": "true"})[0] == "403"
    assert refused(bob.upload, f"{ALICE}/new.txt", b"x")[0] == "403"
    assert refused(bob.create_signed_url, path, 60)[0] == "404"
    assert refused(bob.move, path, f"{BOB}/taken.txt")[0] == "404"
    assert refused(bob.copy, path, f"{BOB}/taken.txt")[0] == "404"
    assert refused(alice.move, path, f"{BOB}/given.txt")[0] == "403"
    assert bob.remove([path]) == [] and bob.list(ALICE) == []
    assert refused(client(running, ALICE).create_bucket, "mine")[0] == "403"
    assert get(running, f"object/authenticated/docs/{path}").status_code == 401
    assert get(running, f"object/public/docs/{path}").json()["statusCode"] == "404"
    assert alice.download(path) == b"mine"
    assert len(alice.remove([path])) == 1


def test_signed_and_public_urls(running: Rest) -> None:
    files = client(running).from_("docs")
    files.upload("s/a b.txt", b"signed")
    url = files.create_signed_url("s/a b.txt", 60, {"download": "naïve.txt"})["signedURL"]
    assert url is not None
    answer = httpx.get(url)
    assert (
        answer.content == b"signed" and "attachment; filename=na%C3%AFve.txt" in answer.headers["content-disposition"]
    )
    assert httpx.get(url.replace("a%20b", "other")).json()["error"] == "InvalidSignature"
    assert [one["error"] is None for one in files.create_signed_urls(["s/a b.txt", "none"], 60)] == [True, False]
    old = token(url="docs/s/a b.txt", scope="download", exp=1)
    assert get(running, f"object/sign/docs/s/a%20b.txt?token={old}").json()["statusCode"] == "400"
    upload = files.create_signed_upload_url("s/up.txt")
    download = url.split("token=")[1].split("&")[0]
    assert refused(files.upload_to_signed_url, "s/up.txt", download, b"x")[0] == "400"
    files.upload_to_signed_url("s/up.txt", upload["token"], b"sent")
    assert files.download("s/up.txt") == b"sent"
    files.remove(["s/a b.txt", "s/up.txt"])


def test_content_is_served_safely_and_in_parts(running: Rest) -> None:
    files = client(running).from_("open")
    files.upload("page.html", b"<script>0123456789", {"content-type": "text/html", "cache-control": "60"})
    url = "object/public/open/page.html"
    answer = get(running, url)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("text/plain", "max-age=60")
    assert (
        answer.headers["x-content-type-options"] == "nosniff" and "sandbox" in answer.headers["content-security-policy"]
    )
    assert get(running, url, if_none_match=answer.headers["etag"]).status_code == 304
    part = get(running, url, range="bytes=-4")
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"6789", "bytes 14-17/18")
    assert get(running, url, range="bytes=99-").status_code == 416
    files.remove(["page.html"])


def test_limits_and_what_is_not_there(running: Rest, folder: Path) -> None:
    small, docs = client(running).from_("small"), client(running).from_("docs")
    assert refused(small.upload, "a.png", b"x", {"content-type": "image/png"})[0] == "415"
    assert refused(small.upload, "a.txt", b"x" * 11, {"content-type": "text/plain"})[0] == "413"
    assert refused(docs.upload, "a.txt", b"x" * 1025)[0] == "413"
    raw = running._ask(
        "POST", "/storage/v1/object/docs/..%2f..%2fetc/x", b"x", running.service_key, {"content_type": "text/plain"}
    )
    assert raw.status == 200
    assert [path.parent for path in folder.iterdir()] == [folder]
    docs.remove(["../../etc/x"])
    assert not list(folder.iterdir())
    for path in ("render/image/authenticated/docs/a", "upload/resumable", "s3/docs"):
        answer = get(running, path, apikey=running.anon_key)
        assert answer.status_code == 501 and "--engine docker" in answer.json()["message"]
    assert get(running, "object/public/docs/%ff").status_code == 400


@pytest.mark.parametrize(
    "lines",
    [
        '[storage]\nfile_size_limit = "big"',
        "[storage]\nenabled = 1",
        '[storage.buckets.a]\npublic = "yes"',
        '[storage.buckets.a]\nallowed_mime_types = "image/png"',
    ],
)
def test_wrong_settings_are_refused_and_what_is_said_next_is_right(lines: str) -> None:
    with pytest.raises(UsageError) as caught:
        storage_settings(tomllib.loads(lines))
    right = caught.value.hint.removeprefix("write ").partition(", or")[0]
    storage_settings(tomllib.loads(f"{lines.partition(chr(10))[0]}\n{right}"))


def test_a_listing_by_cursor_goes_through_all_of_it_once(running: Rest) -> None:
    client(running).create_bucket("paged")
    names = ["b", "b/1", "b/2", "b-c", "a%/x", "é", "Z", "b/c/d", "a_/y"]
    # Keys by SQL: what the API would not take, too. Two at a time have the same time.
    with psycopg.connect(running.db_url, autocommit=True) as connection:
        for number, name in enumerate(names):
            connection.execute(
                "insert into storage.objects (bucket_id, name, created_at, updated_at)"
                " values ('paged', %s, to_timestamp(%s), to_timestamp(1))",
                (name, number // 2 + 0.1234567),
            )

    def pages(**body: Any) -> list[str]:
        url = f"http://127.0.0.1:{running.port}/storage/v1/object/list-v2/paged"
        found: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(20):
            answer = httpx.post(url, json=body | cursor, headers={"apikey": running.service_key}).json()
            page = answer["folders"] + answer["objects"]
            assert len(page) <= body["limit"] and all(one["name"] for one in page)
            found += [one["name"] for one in page]
            if not answer["hasNext"]:
                return found
            cursor = {"cursor": answer["nextCursor"]}
        raise AssertionError(found)

    folders = ["Z", "a%/", "a_/", "b", "b-c", "b/", "é"]
    for order in ("asc", "desc"):
        for column in ("name", "created_at", "updated_at"):
            sort = {"column": column, "order": order}
            for limit in (1, 2, 100):
                assert sorted(pages(limit=limit, sortBy=sort)) == sorted(names)
                assert sorted(pages(limit=limit, sortBy=sort, with_delimiter=True)) == sorted(folders)
    assert pages(limit=1, with_delimiter=True) == folders
    assert pages(limit=1, sortBy={"column": "name", "order": "desc"}, with_delimiter=True) == folders[::-1]
    assert pages(limit=1, prefix="b/") == ["b/1", "b/2", "b/c/d"]
    assert pages(limit=1, prefix="b/", with_delimiter=True) == ["b/1", "b/2", "b/c/"]
    assert pages(limit=5, prefix="a%") == ["a%/x"] and pages(limit=5, prefix="'; drop") == []


@pytest.mark.parametrize(
    "body",
    [
        {"cursor": "x"},
        {"cursor": "WyJhIiwibmFtZSJd"},
        {"limit": 0},
        {"limit": "1"},
        {"sortBy": {"column": "id"}},
        {"sortBy": {"column": "name", "order": "asc; drop"}},
        {"prefix": 1},
        {"with_delimiter": "yes"},
    ],
)
def test_a_wrong_question_for_a_listing_is_refused(running: Rest, body: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{running.port}/storage/v1/object/list-v2/docs"
    answer = httpx.post(url, json=body, headers={"apikey": running.service_key})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidRequest")
    assert httpx.post(url, json=body).status_code == 401


def test_a_listing_by_cursor_shows_what_policies_show(running: Rest) -> None:
    client(running, ALICE).from_("docs").upload(f"{ALICE}/listed.txt", b"x")
    url = f"http://127.0.0.1:{running.port}/storage/v1/object/list-v2/docs"

    def seen(user: str) -> list[str]:
        headers = {"apikey": running.anon_key, "authorization": f"Bearer {token(role='authenticated', sub=user)}"}
        answer = httpx.post(url, json={"with_delimiter": True}, headers=headers).json()
        return [folder["key"] for folder in answer["folders"]]

    assert (seen(ALICE), seen(BOB)) == ([ALICE], [])
    client(running, ALICE).from_("docs").remove([f"{ALICE}/listed.txt"])
