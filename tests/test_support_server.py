"""The server of the end-to-end tests itself: started, killed, started again, stopped, and talked to beside."""

from __future__ import annotations

import pytest

from tests.support.server import ServerProcess


def test_it_keeps_port_and_data_over_a_kill_and_ends_politely() -> None:
    server = ServerProcess({})
    with server:
        made = server.run_cli("account", "create", "mio", "--name", "みお")
        assert (made["handle"], made["name"]) == ("mio", "みお")
        first = (server.pid, server.url)
        server.kill()
        assert not server.running
        server.start()
        assert server.url == first[1]
        assert server.pid != first[0]
        assert server.ws_url.startswith(f"ws://127.0.0.1:{server.port}/")
        with pytest.raises(AssertionError, match="ended with 1"):
            server.run_cli("account", "create", "mio")
        data = server.data
        assert (data / "tsudoi.sqlite3").exists()
    assert not server.running
    assert not data.exists()


def test_a_start_that_fails_says_what_the_server_said() -> None:
    server = ServerProcess({"DATABASE_URL": "oracle://x"})
    with pytest.raises(RuntimeError, match="DATABASE_URL starts with 'oracle:'"):
        server.start()
    server.close()
