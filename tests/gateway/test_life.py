"""The life of real processes: start, serve, drain, stop, be killed, be replaced; and what their log says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from loadtest.client import Client, Options
from realtime.closes import Close
from tests.gateway.processes import (
    ServerProcess,
    StartProcess,
    command_line,
    environment,
    start_process,
    wait_for,
)
from tests.support.http import post
from tests.support.valkey import Shared

__all__ = ["start_process"]

STOPS_WITHIN_S = 8.0


def run(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """One short command against the same data."""
    return subprocess.run(
        command_line(*words), env=environment(env), capture_output=True, text=True, timeout=60, check=False
    )


def account(env: dict[str, str], handle: str) -> dict[str, str]:
    """A new account, made by the command line beside the server."""
    done = run(env, "account", "create", handle, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def lines(server: ServerProcess) -> list[dict[str, str]]:
    """The log, which is JSON line by line."""
    return [json.loads(line) for line in server.log_text().splitlines()]


def clustered(postgres_url: str, valkey: Shared) -> dict[str, str]:
    """Two workers on real servers."""
    return {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": valkey.url,
        "TSUDOI_REDIS_PREFIX": valkey.prefix,
        "WEB_CONCURRENCY": "2",
    }


def workers_of(server: ServerProcess) -> list[int]:
    """The processes directly beneath the supervisor."""
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """True while the process runs; what is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def nodes_of(url: str, wanted: int) -> set[str]:
    """Names of the nodes that answer on one port, asked over fresh connections until there are enough."""
    found: set[str] = set()

    def ask() -> None:
        with urllib.request.urlopen(url + "/readyz", timeout=5) as answer:
            found.add(json.loads(answer.read())["node"])

    end = time.monotonic() + 30
    while len(found) < wanted:
        assert time.monotonic() < end, f"only {found} answer"
        try:
            await asyncio.to_thread(ask)
        except OSError:
            await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopping_server_sends_its_clients_elsewhere(
    start_process: StartProcess, tmp_path: Path, number: signal.Signals
) -> None:
    env = {"TSUDOI_DATA": str(tmp_path)}
    server = start_process(env).ready()
    clients = [Client(server.ws_url, account(env, handle)["token"]) for handle in ("aki", "haru", "mio")]
    for client in clients:
        await client.open()
    begun = time.monotonic()
    server.signal(number)
    for client in clients:
        await client.until(lambda c=client: bool(c.heard("reconnect")))
        assert client.heard("reconnect")[0]["d"]["after_ms"] >= 0
        assert await client.ended() == Close.DRAINING
    assert await asyncio.to_thread(server.wait) == 0
    assert time.monotonic() - begun < STOPS_WITHIN_S
    assert [line["event"] for line in lines(server)][-1] == "node stopped"
    for client in clients:
        await client.close()


async def test_a_draining_server_refuses_new_work(start_process: StartProcess, tmp_path: Path) -> None:
    env = {"TSUDOI_DATA": str(tmp_path)}
    server = start_process(env).ready()
    url = server.url
    async with Client(server.ws_url, account(env, "aki")["token"]) as client:
        server.signal(signal.SIGTERM)
        await client.until(lambda: bool(client.heard("reconnect")))
        answer = await asyncio.to_thread(probe, url)
        assert answer["status"] == "unready"
        assert answer["reasons"] == ["draining"]
        assert await client.ended() == Close.DRAINING
    assert await asyncio.to_thread(server.wait) == 0


def probe(url: str) -> dict[str, object]:
    """What `/readyz` says, whatever its status."""
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=5) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.loads(error.read()))


async def test_a_second_signal_stops_at_once(start_process: StartProcess, tmp_path: Path) -> None:
    env = {"TSUDOI_DATA": str(tmp_path), "TSUDOI_CLOSE_WAIT_S": "60"}
    server = start_process(env).ready()
    # A client that hears nothing keeps the first signal waiting for its close.
    async with connect(server.ws_url, compression=None) as deaf:
        await deaf.recv()
        deaf.transport.pause_reading()
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(wait_for, lambda: "draining" in server.log_text(), "it drains")
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.wait)
        assert time.monotonic() - begun < 2
        deaf.transport.abort()
    assert "Traceback" not in server.log_text()


async def test_the_demo_says_its_link_and_ends_by_interrupt(start_process: StartProcess) -> None:
    server = start_process(command=["demo"]).ready()
    await asyncio.to_thread(wait_for, lambda: "/#demo=" in server.log_text(), "the link is told")
    assert server.url.startswith("http://127.0.0.1:")
    assert server.log_text().count(server.url) == 2
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        server.signal(signal.SIGINT)
        assert json.loads(await socket.recv())["ev"] == "reconnect"
        await socket.wait_closed()
        assert socket.close_code == Close.DRAINING
    assert await asyncio.to_thread(server.wait) == 0
    assert "Traceback" not in server.log_text()


async def test_the_log_tells_who_came_and_nothing_secret(start_process: StartProcess, tmp_path: Path) -> None:
    env = {"TSUDOI_DATA": str(tmp_path), "TSUDOI_LOG_LEVEL": "debug"}
    server = start_process(env).ready()
    aki, haru = account(env, "aki"), account(env, "haru")
    assert run(env, "account", "follow", "aki", "haru", "--mutual").returncode == 0
    origin = {"Origin": server.url}
    async with Client(server.ws_url, aki["token"]) as a:
        room = await a.call(
            "room.create", title="ひみつの部屋", accounts=[haru["account"]], nonce="nonce-secret"
        )
        await a.say(room["id"], "ひみつの言葉", nonce="nonce-too")
        ticket = (await post(server.url, "session.ticket", haru["token"])).ok["ticket"]
        async with connect(server.ws_url, compression=None, additional_headers=origin) as socket:
            await socket.recv()
            frame = {"op": "connect", "id": 1, "d": {"ticket": ticket, "client": {"name": "page"}}}
            await socket.send(json.dumps(frame))
            assert "ok" in json.loads(await socket.recv())
        wrong = Client(server.ws_url, "tsd_wrong_token")
        with pytest.raises(ConnectionError, match="4401"):
            await wrong.open()
        await wrong.close()
        await post(
            server.url, "room.send", aki["token"], room=room["id"], text="もうひとつの言葉", nonce="n", x=1
        )
        await post(server.url, "room.list", "tsd_another_wrong_token")
    assert await asyncio.to_thread(server.terminate) == 0
    told = lines(server)
    for who in (aki, haru):
        for event in ("connected", "disconnected"):
            found = [
                line for line in told if line["event"] == event and line.get("account") == who["account"]
            ]
            assert [line["peer"] for line in found] == ["127.0.0.1"]
    assert [line["code"] for line in told if line["event"] == "connect refused"] == ["unauthenticated"]
    text = server.log_text() + server.out_text()
    decoded = text + json.dumps(told, ensure_ascii=False)
    secrets = [
        aki["token"],
        haru["token"],
        ticket,
        ticket.rpartition(".")[2],
        "wrong_token",
        "言葉",
        "ひみつ",
        "nonce-",
    ]
    assert [secret for secret in secrets if secret in decoded] == []
    assert {"event", "level", "timestamp", "logger"} <= set(told[0])


async def test_metrics_have_a_port_of_their_own(start_process: StartProcess, tmp_path: Path) -> None:
    env = {"TSUDOI_DATA": str(tmp_path), "TSUDOI_METRICS_PORT": str(free_port())}
    server = start_process(env).ready()
    async with Client(server.ws_url, account(env, "aki")["token"]):
        page = await asyncio.to_thread(fetched, f"http://127.0.0.1:{env['TSUDOI_METRICS_PORT']}/metrics")
    assert "tsudoi_connections 1.0" in page
    assert "tsudoi_connections_arrived_total 1.0" in page
    with pytest.raises(urllib.error.HTTPError) as missing:
        await asyncio.to_thread(fetched, server.url + "/metrics")
    with missing.value as answer:
        assert answer.code == 404
    done = await asyncio.to_thread(run, {**env, "TSUDOI_DATA": str(tmp_path / "two")}, "serve")
    assert done.returncode == 2
    assert done.stderr.endswith(f"tsudoi: TSUDOI_METRICS_PORT {env['TSUDOI_METRICS_PORT']} is taken\n")
    assert await asyncio.to_thread(server.terminate) == 0


def fetched(url: str) -> str:
    """A page's text."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_two_workers_share_a_port_and_one_that_dies_is_replaced(
    start_process: StartProcess, postgres_url: str, valkey: Shared
) -> None:
    env = clustered(postgres_url, valkey)
    server = start_process(env).ready()
    before = await nodes_of(server.url, 2)
    aki, haru = account(env, "aki"), account(env, "haru")
    assert run(env, "account", "follow", "aki", "haru", "--mutual").returncode == 0
    victim, other = await asyncio.to_thread(workers_of, server)
    os.kill(victim, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: len(set(workers_of(server)) - {victim}) == 2, "it is replaced")
    after = await nodes_of(server.url, 2)
    assert len(after | before) == 3, server.log_text()
    pids = workers_of(server)
    assert other in pids
    async with Client(server.ws_url, aki["token"]) as a, Client(server.ws_url, haru["token"]) as h:
        room = await a.call("room.create", title="集い", accounts=[haru["account"]], nonce="1")
        await a.say(room["id"], "やあ")
        await h.until(lambda: h.texts(room["id"]) == ["やあ"])
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert await a.ended() == await h.ended() == Close.DRAINING
    assert await asyncio.to_thread(server.wait) == 0
    assert time.monotonic() - begun < STOPS_WITHIN_S
    assert [pid for pid in pids if alive(pid)] == []
    assert [line["code"] for line in lines(server) if line["event"] == "worker ended"] == [-9]


async def test_workers_are_rolled_under_load_without_a_hole(
    start_process: StartProcess, postgres_url: str, valkey: Shared
) -> None:
    env = clustered(postgres_url, valkey)
    server = start_process(env).ready()
    before = await nodes_of(server.url, 2)
    people = [account(env, handle) for handle in ("aki", "haru", "ken")]
    for one in people[1:]:
        assert run(env, "account", "follow", "aki", one["handle"], "--mutual").returncode == 0
    old = await asyncio.to_thread(workers_of, server)
    async with contextlib.AsyncExitStack() as stack:
        options = Options(stay=True, strict=True, remember=True)
        clients = [
            await stack.enter_async_context(Client(server.ws_url, one["token"], options=options))
            for one in people
        ]
        others = [one["account"] for one in people[1:]]
        room = (await clients[0].call("room.create", title="集い", accounts=others, nonce="1"))["id"]
        for client in clients:
            await client.until(lambda c=client: f"room:{room}" in c.ear.positions)
        server.signal(signal.SIGHUP)
        said = 0

        def rolled() -> bool:
            return any(line["event"] == "rolled" for line in lines(server))

        while not rolled():
            await clients[said % 3].say(room, str(said))
            said += 1
            assert said < 5_000, server.log_text()
        for client in clients:
            await client.until(lambda c=client: len(c.texts(room)) == said, 20)
            assert client.texts(room) == [str(n) for n in range(said)]
    assert said > 10
    now = await asyncio.to_thread(workers_of, server)
    assert len(now) == 2
    assert not set(now) & set(old)
    assert len(await nodes_of(server.url, 2) | before) == 4
    assert [line["code"] for line in lines(server) if line["event"] == "worker left"] == [0, 0]


async def test_a_roll_ends_where_a_new_worker_does_not_come_up(
    start_process: StartProcess, postgres_url: str, valkey: Shared, tmp_path: Path
) -> None:
    env = {**clustered(postgres_url, valkey), "TSUDOI_DATA": str(tmp_path)}
    server = start_process(env).ready()
    await nodes_of(server.url, 2)
    old = set(await asyncio.to_thread(workers_of, server))
    # What is not set in the environment is read anew by every process that starts.
    (tmp_path / "tsudoi.env").write_text("TSUDOI_SWEEP_S=never\n")
    server.signal(signal.SIGHUP)
    await asyncio.to_thread(
        wait_for, lambda: "rolled no further" in server.log_text(), "the roll gives up", STOPS_WITHIN_S
    )
    assert set(await asyncio.to_thread(workers_of, server)) == old
    assert len(await nodes_of(server.url, 2)) == 2


async def test_workers_end_by_themselves_when_the_supervisor_is_killed(
    start_process: StartProcess, postgres_url: str, valkey: Shared
) -> None:
    env = clustered(postgres_url, valkey)
    server = start_process(env).ready()
    await nodes_of(server.url, 2)
    pids = workers_of(server)
    assert len(pids) == 2
    async with connect(server.ws_url, compression=None) as socket:
        await socket.recv()
        server.kill()
        assert json.loads(await socket.recv())["ev"] == "reconnect"
    await asyncio.to_thread(wait_for, lambda: not any(map(alive, pids)), "the workers end", STOPS_WITHIN_S)


async def test_two_supervisors_do_not_share_a_port(
    start_process: StartProcess, postgres_url: str, valkey: Shared
) -> None:
    env = clustered(postgres_url, valkey)
    server = start_process(env).ready()
    port = server.url.rpartition(":")[2]
    done = await asyncio.to_thread(run, {**env, "PORT": port}, "serve")
    assert done.returncode == 2
    assert done.stderr == f"tsudoi: port {port} of 127.0.0.1 is taken; set PORT to a free one\n"
    assert await asyncio.to_thread(server.terminate) == 0


def test_nodes_that_start_at_once_migrate_once(postgres_url: str) -> None:
    env = {"DATABASE_URL": postgres_url}
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: run(env, "migrate", "--json"), range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]
    applied = sorted(len(json.loads(each.stdout)["applied"]) for each in done)
    assert applied[:2] == [0, 0]
    assert applied[2] >= 1


def test_a_server_takes_all_the_files_it_may_have(tmp_path: Path) -> None:
    limits = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 3000))"
    script = (
        f"{limits}; from gateway.server import _take_all_files as take; take(); print(resource.getrlimit(7))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "(3000, 3000)"


async def test_a_server_that_stood_still_keeps_whoever_is_there(
    start_process: StartProcess, tmp_path: Path
) -> None:
    """As when its machine is moved: whoever answered in time is not judged by the server's own sleep (F29)."""
    asked_s, answered_s, asleep_s = 1, 1, 5
    env = {"TSUDOI_DATA": str(tmp_path), "TSUDOI_PING_INTERVAL_S": str(asked_s)}
    server = start_process(env | {"TSUDOI_PONG_WAIT_S": str(answered_s)}).ready()
    done = await asyncio.to_thread(run, env, "seed", "--people", "12", "--json")
    tokens = [token for line in done.stdout.splitlines() for token in json.loads(line)["tokens"]]
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(server.ws_url, token)) for token in tokens]
        async with connect(server.ws_url, compression=None, ping_interval=None) as silent:
            await silent.send(
                json.dumps(
                    {"id": 1, "op": "connect", "d": {"token": tokens[0], "client": {"name": "silent"}}}
                )
            )
            server.signal(signal.SIGSTOP)
            # Its being asleep is the point, so that is waited for.
            await asyncio.sleep(asleep_s)
            server.signal(signal.SIGCONT)
            for client in clients:
                await client.call("clock.read", t=1)
            # Who does not answer is still found out; by then everybody has been asked again.
            await silent.wait_closed()
            assert silent.close_code == Close.NO_PONG
        assert [client.state for client in clients] == ["live"] * len(tokens)
