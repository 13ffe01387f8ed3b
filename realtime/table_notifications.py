"""The rows of the operations table about notifications; `realtime.table` joins them to the others."""

from __future__ import annotations

from realtime import notifications as n
from realtime.operations import Operation
from realtime.requests import Empty

NOTIFICATIONS = (
    Operation(
        "notification.list",
        n.NotificationList,
        n.NotificationPage,
        "What others did that concerns one, by page.",
        cost=2,
    ),
    Operation(
        "notification.read",
        n.NotificationRead,
        n.Badge,
        "Everything up to a place was seen; one's other devices are told.",
        durable=True,
    ),
    Operation("notification.get", Empty, n.NotificationSwitches, "Which kinds one is told of."),
    Operation(
        "notification.update",
        n.NotificationUpdate,
        n.NotificationSwitches,
        "Be told of a kind, or no more.",
        durable=True,
    ),
)
