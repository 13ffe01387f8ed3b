"""Dispatch: operation name → use case. Both doors enter the second floor here, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from channels import (
    address,
    communities,
    emotext,
    handover,
    invites,
    messages,
    moderation,
    nicknames,
    notifications,
    posts,
    presence,
    profiles,
    reactions,
    relations,
    requests,
    rooms,
    search,
    sessions,
    signup,
    stamps,
    timelines,
)
from channels.desk import Actor, Desk, Visitor
from realtime.table import OPERATIONS

GuestHandler = Callable[[Desk, Visitor, Any], Awaitable[msgspec.Struct]]
Handler = Callable[[Desk, Actor, Any], Awaitable[msgspec.Struct]]

HANDLERS: dict[str, Handler] = {
    "account.get": profiles.get,
    "account.update": profiles.update,
    "account.hide": profiles.hide,
    "account.show": profiles.show,
    "account.delete": profiles.delete,
    "follow.add": relations.follow_add,
    "follow.remove": relations.follow_remove,
    "follow.accept": relations.follow_accept,
    "follow.decline": relations.follow_decline,
    "follow.list": relations.follow_list,
    "block.add": relations.block_add,
    "block.remove": relations.block_remove,
    "block.list": relations.block_list,
    "mute.add": relations.mute_add,
    "mute.remove": relations.mute_remove,
    "mute.list": relations.mute_list,
    "nickname.put": nicknames.put,
    "nickname.list": nicknames.list_nicknames,
    "report.create": moderation.report,
    "support.open": moderation.open_support,
    "room.create": rooms.create,
    "room.open": requests.open_dm,
    "room.get": rooms.get,
    "room.list": rooms.list_rooms,
    "room.update": rooms.update,
    "room.add": rooms.add,
    "room.join": rooms.join,
    "presence.except": presence.put_exception,
    "presence.exceptions": presence.list_exceptions,
    "room.accept": requests.accept,
    "room.decline": requests.decline,
    "room.leave": rooms.leave,
    "room.send": messages.send,
    "room.read": messages.mark_read,
    "message.list": messages.list_messages,
    "message.get": messages.get,
    "message.delete": messages.delete,
    "message.react": stamps.react,
    "community.create": communities.create,
    "community.get": communities.get,
    "community.list": communities.list_communities,
    "community.join": communities.join,
    "community.leave": communities.leave,
    "emotext.list": emotext.list_effects,
    "emotext.preview": emotext.preview,
    "post.create": posts.create,
    "post.get": posts.get,
    "post.delete": posts.delete,
    "post.audience": posts.audience,
    "reaction.add": reactions.add,
    "reaction.remove": reactions.remove,
    "reaction.get": reactions.get,
    "reaction.list": reactions.list_reactions,
    "timeline.list": timelines.list_posts,
    "timeline.read": timelines.read,
    "post.search": search.posts,
    "account.search": search.accounts,
    "community.search": search.communities,
    "notification.list": notifications.list_notifications,
    "notification.read": notifications.mark_read,
    "notification.get": notifications.get,
    "notification.update": notifications.update,
    "invite.create": invites.create,
    "invite.list": invites.list_invites,
    "invite.revoke": invites.revoke,
    "invite.reissue": invites.reissue,
    "invite.redeem": invites.redeem,
    "address.change": address.change,
    "address.confirm": address.confirm,
    "session.offer": handover.offer,
    "session.list": sessions.list_sessions,
    "session.revoke": sessions.revoke,
    "session.revoke_all": sessions.revoke_all,
    "session.delete": sessions.log_out,
}
"""Operations that concern the connection or the node itself (`connect`, `pong`, `clock.read`, `session.ticket`,
`channel.*`, most of presence) are the doors' own."""

GUESTS: dict[str, GuestHandler] = {
    "emotext.list": emotext.list_effects,
    "invite.get": invites.look,
    "account.begin": signup.begin,
    "account.resume": signup.resume,
    "account.address": signup.give_address,
    "account.verify": signup.verify,
    "account.create": signup.create,
    "session.begin": signup.begin_login,
    "session.create": signup.login,
    "session.look": handover.look,
    "session.take": handover.take,
    "address.undo": address.undo,
}
"""Operations of whoever has no session yet."""

DECODERS = {name: msgspec.json.Decoder(operation.request) for name, operation in OPERATIONS.items()}
