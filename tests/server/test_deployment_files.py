"""What stands in docs/server is right as far as it can be told without running it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

import cli
from engine_server.application import settings as server_settings
from engine_server.application.settings import ServerSettings, from_dict, to_toml
from engine_server.application.tuning import Machine, connections_needed, profile
from infobase.errors import ServerSettingsInvalid

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "server"


def unit() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(FOLDER / "infobase-server.service", "utf-8")
    return parsed


def test_the_unit_runs_a_command_there_is() -> None:
    parsed = unit()
    assert {"Unit", "Service", "Install"} == set(parsed.sections())
    command = parsed["Service"]["ExecStart"].split()
    assert command[0].startswith("/") and command[1:] == ["server", "start"]
    assert "start" in cli.root.commands["server"].commands  # type: ignore[attr-defined]
    assert parsed["Service"]["KillSignal"] == "SIGTERM" and parsed["Service"]["UMask"] == "0077"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    copy = tmp_path / "infobase-server.service"
    text = (FOLDER / "infobase-server.service").read_text("utf-8")
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "infobase-server" in line and "man" not in line]
    assert not [line for line in ours if "Unknown" in line or "Failed to parse" in line], done.stderr


def test_the_container_file() -> None:
    lines = (FOLDER / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    words = [word for word, _ in steps]
    assert set(words) <= known and words[0] == "FROM"
    given = dict(steps)
    assert given["USER"] != "root" and words.index("USER") < words.index("ENTRYPOINT")
    assert not given["FROM"].endswith(":latest") and ":" in given["FROM"]
    assert int(given["EXPOSE"]) == ServerSettings().port
    assert "/readyz" in given["HEALTHCHECK"] and given["CMD"] == '["server", "start"]'


def test_nginx_sends_upgrades_and_no_stickiness() -> None:
    text = (FOLDER / "nginx.conf").read_text("utf-8")
    assert text.count("{") == text.count("}")
    for needed in ("proxy_http_version 1.1", "proxy_set_header Upgrade", "proxy_buffering off"):
        assert needed in text
    assert "ip_hash" not in text and "sticky" not in text


def test_pgbouncer_pools_transactions() -> None:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read(FOLDER / "pgbouncer.ini", "utf-8")
    assert parsed["pgbouncer"]["pool_mode"] == "transaction"


def test_every_setting_is_documented_and_travels(tmp_path: Path) -> None:
    page = (DOCS / "server.md").read_text("utf-8")
    hidden = {"name", "embedded", "cluster_database"}
    missing = [f.name for f in fields(ServerSettings) if f.name not in hidden and f"`{f.name}`" not in page]
    assert not missing
    changed = ServerSettings(host="::", port=1600, trusted_proxies='a"b\\c', retry_seconds=2.5, pooled=True)
    (tmp_path / server_settings.FILE).write_text(to_toml(changed), "utf-8")
    assert server_settings.load(tmp_path).settings == changed


@pytest.mark.parametrize(
    "bad", [{"prot": 1}, {"port": "x"}, {"port": 70000}, {"workers": 0}, {"pooled": 1}, {"workers": True}]
)
def test_wrong_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ServerSettingsInvalid):
        from_dict(bad, Path("server.toml"))


@pytest.mark.parametrize("memory", [512, 2048, 16384, 262144])
def test_the_profile_fits_the_machine(memory: int) -> None:
    settings = ServerSettings(workers=4)
    found = {a.setting: a.value for a in profile(Machine(memory << 20, 4), settings, shared=True)}
    size = {
        name: int(found[name].removesuffix("MB")) for name in ("shared_buffers", "work_mem", "maintenance_work_mem")
    }
    assert size["shared_buffers"] <= max(memory // 2, 128)
    assert int(found["max_connections"]) >= connections_needed(settings)
    assert size["shared_buffers"] + size["maintenance_work_mem"] <= memory
    assert all(str(a.why) for a in profile(Machine(memory << 20, 4), settings, shared=False))
