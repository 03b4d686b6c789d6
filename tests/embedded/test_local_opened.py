"""What `local up` puts into buckets, what `local studio` and `local mail --open` give to a browser."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.embedded.test_local_commands import fresh
from tests.promthctl_runner import Project

LONG = "x" * 101  # a bucket's name ends at 100
CONFIG = f"""
[storage.buckets.pics]
public = true
objects_path = "./pics"
[storage.buckets.out]
objects_path = "../../outside"
[storage.buckets.linked]
objects_path = "./elsewhere"
[storage.buckets.small]
file_size_limit = "1B"
objects_path = "./pics/a.txt"
[storage.buckets.{LONG}]
public = true
"""


def test_files_of_config_toml_are_in_the_buckets_of_a_new_database(running: Project, tmp_path: Path) -> None:
    fresh(running, {"001_a.sql": "create table public.a (n int);", "002_b.sql": "create tabel b (n int);"})
    folder = running.path / "supabase"
    (folder / "pics" / "sub").mkdir(parents=True)
    (folder / "pics" / "a.txt").write_text("hello")
    (folder / "pics" / "sub" / "ü b.svg").write_text("<svg/>")
    (folder / "pics" / "sub" / "c.svg").write_text("<svg/>")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (folder / "pics" / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (folder / "elsewhere").symlink_to(tmp_path / "outside")
    (folder / "config.toml").write_text(CONFIG)
    running.up(code=1)  # stopped by the second migration, before anything is uploaded
    (running.path / "db" / "002_b.sql").write_text("create table b (n int);")
    told = running.up().stderr

    def names() -> list[str]:
        env = running.env()
        url, headers = f"{env['SUPABASE_URL']}/storage/v1", {"apikey": env["SUPABASE_SERVICE_ROLE_KEY"]}
        found = httpx.post(f"{url}/object/list-v2/pics", json={}, headers=headers).json()["objects"]
        return [one["name"] for one in found]

    assert names() == ["a.txt", "sub/c.svg"]
    answer = httpx.get(f"{running.env()['SUPABASE_URL']}/storage/v1/object/public/pics/a.txt")
    assert (answer.text, answer.headers["content-type"]) == ("hello", "text/plain")
    assert "secret" not in told and f"The bucket {LONG} of supabase/config.toml was not made" in told
    for refused in ("pics/sub/ü b.svg: Invalid key", "../../outside lies outside", "./elsewhere lies outside"):
        assert refused in told
    assert "small/a.txt: The object exceeded the maximum allowed size" in told
    status = running.json("local", "status")
    assert [LONG in problem for problem in status["problems"]] == [True]
    assert "was not made" in running.run("local", "status").stdout
    env = running.env()
    url, headers = f"{env['SUPABASE_URL']}/storage/v1", {"apikey": env["SUPABASE_SERVICE_ROLE_KEY"]}
    httpx.delete(f"{url}/object/pics/a.txt", headers=headers).raise_for_status()
    assert "pics" not in running.up().stderr and names() == ["sub/c.svg"]
    running.run("local", "reset")
    assert names() == ["a.txt", "sub/c.svg"]


def test_studio_and_links_are_given_to_the_browser(running: Project, tmp_path: Path) -> None:
    browser, given = tmp_path / "browser", tmp_path / "given"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>{given}\n')
    browser.chmod(0o700)
    running.up()
    url = running.env()["SUPABASE_URL"]
    asked = {"email": "open@example.com"}
    headers = {"apikey": running.env()["SUPABASE_ANON_KEY"]}
    httpx.post(f"{url}/auth/v1/otp", json=asked, headers=headers).raise_for_status()
    running.extra["BROWSER"] = f"{browser} %s"
    try:
        shown = running.run("local", "studio")
        assert "token=" not in shown.stdout + shown.stderr
        running.run("local", "mail", "--open")
        studio, link = given.read_text().splitlines()
        assert httpx.get(studio).status_code == 200
        assert link == running.json("local", "mail", "show")["link"]
        assert running.run("local", "studio", "--no-open").stdout.startswith(f"{url}/_promthctl/studio?token=")
        assert len(given.read_text().splitlines()) == 2
    finally:
        del running.extra["BROWSER"]
    assert "promthctl local mail --open" in running.run("local", "mail", "--open", "show", code=2).stderr
    assert running.run("local", "mail", "--open").stdout.strip() == link  # no desktop: it is printed
    user = {"email": "code@example.com", "password": "a-fake-pass-1"}
    token = httpx.post(f"{url}/auth/v1/signup", json=user, headers=headers).json()["access_token"]
    of_user = headers | {"authorization": f"Bearer {token}"}
    httpx.get(f"{url}/auth/v1/reauthenticate", headers=of_user).raise_for_status()
    assert "promthctl local mail show 1" in running.run("local", "mail", "--open", code=2).stderr
    assert "reauthentication" in running.run("local", "mail", "show", "1", "--json").stdout
    running.run("local", "down")
    assert "promthctl local up" in running.run("local", "studio", code=4).stderr
