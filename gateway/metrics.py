"""Metrics of one process, served on a port of their own (`TSUDOI_METRICS_PORT`), never on the public one.

Nothing here pairs a person with another: counts only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from realtime.places import is_loopback

if TYPE_CHECKING:
    from gateway.node import Node


class Metrics:
    """Counters of connections, and gauges read from the node when somebody looks."""

    def __init__(self, node: Node) -> None:
        self.registry = CollectorRegistry()
        self._opened = self._counter("tsudoi_connections_opened", "WebSocket handshakes accepted")
        self._arrived = self._counter("tsudoi_connections_arrived", "Connections that authenticated")
        self._closed = Counter(
            "tsudoi_connections_closed", "Connections ended, by code", ["code"], registry=self.registry
        )
        self._dropped = Counter(
            "tsudoi_fleeting_dropped",
            "Ephemeral events that slow readers did not get",
            registry=self.registry,
        )
        self._behind = Counter(
            "tsudoi_channels_cut", "Channels of slow readers told `behind`", registry=self.registry
        )
        self._gauge(
            "tsudoi_replay_queries_total", "Reads of the log for resumes", lambda: node.replays.queries
        )
        self._gauge(
            "tsudoi_handshakes_refused_total", "Handshakes told to come back", lambda: node.admission.refused
        )
        self._gauge(
            "tsudoi_queued_bytes", "Bytes that wait for slow readers", lambda: node.backlog.size_bytes
        )
        self._gauge("tsudoi_connections", "Connections now", lambda: len(node.sockets))
        self._gauge("tsudoi_channels", "Channels with listeners here", lambda: len(node.hub.names()))
        self._gauge("tsudoi_deliveries_total", "Frames handed to connections", lambda: node.hub.delivered)
        self._gauge("tsudoi_gaps_total", "Holes seen in channels", lambda: node.hub.gaps)
        self._gauge("tsudoi_healed_entries_total", "Entries read to close holes", lambda: node.fanout.healed)
        self._gauge("tsudoi_courier_healthy", "1 while the courier works", lambda: int(node.courier.healthy))
        self._gauge("tsudoi_courier_published_total", "Parcels sent", lambda: node.courier.counters.published)
        self._gauge(
            "tsudoi_courier_received_total", "Parcels received", lambda: node.courier.counters.received
        )
        self._gauge("tsudoi_courier_dropped_total", "Parcels given up", lambda: node.courier.counters.dropped)
        self._gauge("tsudoi_pictures_decoded_total", "Pictures begun", lambda: node.media.decoders.begun)
        self._gauge("tsudoi_pictures_refused_total", "Pictures refused", lambda: node.media.decoders.failed)
        self._gauge("tsudoi_letters_sent_total", "Mails that left", lambda: node.postman.sent)
        self._gauge(
            "tsudoi_letters_failed_total", "Tries to send a mail that failed", lambda: node.postman.failed
        )
        self._gauge("tsudoi_letters_given_up_total", "Mails that never left", lambda: node.postman.given_up)
        self._gauge(
            "tsudoi_courier_malformed_total",
            "Bytes that are no parcel",
            lambda: node.courier.counters.malformed,
        )
        self._gauge(
            "tsudoi_courier_reconnects_total",
            "Connections made anew",
            lambda: node.courier.counters.reconnects,
        )
        self._gauge(
            "tsudoi_courier_refused_total", "Refusals by Redis", lambda: node.courier.counters.script_errors
        )
        self._gauge(
            "tsudoi_turned_away_total", "Connections there was no room for", lambda: node.capacity.turned_away
        )
        self._gauge("tsudoi_peers", "Other living nodes", lambda: node.keeper.peers)
        self._tell_of_presence(node)

    def _tell_of_presence(self, node: Node) -> None:
        self._gauge("tsudoi_people_here", "People of this node who are online", lambda: node.presence.here)
        self._gauge(
            "tsudoi_people_known", "People online on all nodes, as known here", lambda: node.presence.known
        )
        self._gauge("tsudoi_presence_frames_total", "Frames of presence told", lambda: node.presence.frames)
        self._gauge(
            "tsudoi_presence_announced_total", "Changes told to other nodes", lambda: node.keeper.announced
        )
        self._gauge(
            "tsudoi_presence_reloads_total",
            "Parts of the online table read anew",
            lambda: node.keeper.reloads,
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self.registry)

    def _gauge(self, name: str, text: str, read: object) -> None:
        Gauge(name, text, registry=self.registry).set_function(read)  # type: ignore[arg-type]  # a function of no arguments

    def opened(self) -> None:
        """A handshake was accepted."""
        self._opened.inc()

    def arrived(self) -> None:
        """A connection authenticated."""
        self._arrived.inc()

    def dropped(self, events: int) -> None:
        """Ephemeral events were given up for a slow reader."""
        self._dropped.inc(events)

    def fell_behind(self) -> None:
        """A channel of a slow reader was cut."""
        self._behind.inc()

    def closed(self, code: int) -> None:
        """A connection ended."""
        self._closed.labels(str(code)).inc()

    def serve(self, host: str, port: int) -> None:
        """Answer scrapes on `port`; on loopback unless the server itself listens elsewhere."""
        start_http_server(port, addr="127.0.0.1" if is_loopback(host) else host, registry=self.registry)
