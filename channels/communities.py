"""Communities: found, find, join, leave (FEATURES §5)."""

from __future__ import annotations

from channels.cards import sight_of
from channels.desk import Actor, Desk
from channels.entries import emit
from channels.once import Key, once
from channels.post_entries import community_left, community_standing
from channels.requests import check
from channels.rules.accounts import Sight
from channels.rules.communities import Act, Facts, verdict
from channels.telling import Told, badge_touched, tell
from realtime import posts as p
from realtime.errors import Refusal
from realtime.folding import fold
from realtime.ids import community_channel, inbox_channel
from realtime.notifications import NotificationKind
from realtime.requests import Done
from realtime.settings import Limits
from realtime.text import TextLimit, clean_name, clean_optional
from storage import communities as store
from storage import log, search
from storage.communities import CommunityCardRow
from storage.database import Tx
from storage.profiles import profile_by_id
from storage.rows import CommunityMemberRow, CommunityRow

NAME_BYTES_MAX = 1_024
PURPOSE_BYTES_MAX = 4 * 1024
INSIDE, LEFT = "inside", "left"


async def create(desk: Desk, actor: Actor, request: p.CommunityCreate) -> p.Community:
    """Found a public community. Errors: `text_*`, `full`, `conflict`."""
    limits = desk.settings.limits
    name = clean_name(request.name, TextLimit(limits.title_graphemes_max, NAME_BYTES_MAX, lines=False))
    purpose = clean_optional(request.purpose, TextLimit(limits.bio_graphemes_max, PURPOSE_BYTES_MAX))

    def work(tx: Tx) -> p.Community:
        me = actor.account
        _check_room_left(tx, me, limits)
        row = CommunityRow(tx.new_id(), name, purpose, "public", "visible", me, 1, tx.now_ms())
        store.insert_community(tx, row)
        search.add(tx, search.COMMUNITY, [(row.id, fold(f"{name} {purpose}"))])
        log.create_channel(tx, community_channel(row.id))
        store.put_community_member(tx, CommunityMemberRow(row.id, me, p.Role.CREATOR, INSIDE, 0, tx.now_ms()))
        emit(tx, [community_standing("community.joined", me, row.id, 0)])
        return view(tx, me, row.id)

    key = Key(actor.account, "community.create", request.nonce)
    return await desk.db.write(lambda tx: once(tx, key, request, lambda: work(tx), p.Community))


async def get(desk: Desk, actor: Actor, request: p.CommunityRef) -> p.Community:
    """One community. Errors: `not_found`."""
    return await desk.db.read(lambda tx: view(tx, actor.account, request.community))


async def list_communities(desk: Desk, actor: Actor, request: p.CommunityList) -> p.CommunityPage:
    """A page of communities. Errors: `not_found`."""
    me, after, most = actor.account, request.after or "", request.limit + 1

    def unit(tx: Tx) -> p.CommunityPage:
        if request.account is None:
            rows = store.community_cards(tx, me, request.joined, after, most)
        elif sight_of(tx, me, request.account) is Sight.WHOLE:
            rows = store.communities_shown(tx, me, request.account, after, most)
        else:
            raise Refusal("not_found")
        shown = rows[: request.limit]
        more = shown[-1].community.id if len(rows) > request.limit else None
        return p.CommunityPage(communities=[_view(row) for row in shown], next=more)

    return await desk.db.read(unit)


async def arrange(desk: Desk, actor: Actor, request: p.CommunityArrange) -> Done:
    """Show one's communities in this order; those that are not named, or that one joins later, stand before them."""

    def unit(tx: Tx) -> Done:
        # Two orders at once would leave a mixture.
        profile_by_id(tx, actor.account, lock=True)
        store.arrange_communities(tx, actor.account, list(dict.fromkeys(request.communities)))
        return Done()

    return await desk.db.write(unit)


async def join(desk: Desk, actor: Actor, request: p.CommunityRef) -> p.Community:
    """Be inside from now on. Errors: `not_found`, `full`."""

    def unit(tx: Tx) -> p.Community:
        me = actor.account
        keepers = store.keepers_of(tx, request.community)
        row, mine, seq = locked(tx, request.community, me, *keepers)
        inside = mine is not None and mine.state == INSIDE
        check(verdict(Act.JOIN, Facts(inside)))
        if not inside:
            _check_room_left(tx, me, desk.settings.limits)
            store.put_community_member(
                tx, CommunityMemberRow(row.id, me, p.Role.MEMBER, INSIDE, seq, tx.now_ms())
            )
            store.update_community(tx, row._replace(members=row.members + 1))
            emit(tx, [community_standing("community.joined", me, row.id, seq)])
            joined = NotificationKind.COMMUNITY_JOINED
            tell(tx, [Told(each, me, joined, row.id, community=row.id) for each in keepers])
        return view(tx, me, row.id)

    return await desk.db.write(unit)


async def leave(desk: Desk, actor: Actor, request: p.CommunityRef) -> Done:
    """Be inside no more. Errors: `not_found`, `not_member`."""

    def unit(tx: Tx) -> Done:
        me = actor.account
        row, mine, _ = locked(tx, request.community, me)
        check(verdict(Act.LEAVE, Facts(mine is not None and mine.state == INSIDE)))
        assert mine is not None
        store.put_community_member(tx, mine._replace(role=p.Role.MEMBER, state=LEFT))
        store.update_community(tx, pass_on(tx, row, me)._replace(members=row.members - 1))
        emit(tx, [community_left(row.id, me), community_standing("community.left", me, row.id, 0)])
        badge_touched(tx, [me, *store.keepers_of(tx, row.id)])
        return Done()

    return await desk.db.write(unit)


def pass_on(tx: Tx, row: CommunityRow, me: str) -> CommunityRow:
    """A community that its creator leaves goes to the eldest admin, else to the eldest member; with nobody else in it, it
    stays theirs. The row is written by the caller."""
    heir = store.eldest_member(tx, row.id, me) if row.creator == me else None
    if heir is None:
        return row
    store.put_community_member(tx, heir._replace(role=p.Role.CREATOR))
    return row._replace(creator=heir.account)


def locked(
    tx: Tx, community: str, account: str, *concerned: str
) -> tuple[CommunityRow, CommunityMemberRow | None, int]:
    """Lock the community's channel, the account's inbox and those of whoever is concerned, and read how the account stands;
    the channel's newest seq. Errors: `not_found`."""
    channel = community_channel(community)
    seqs = log.lock(tx, [channel, *map(inbox_channel, (account, *concerned))])
    row = store.community_by_id(tx, community)
    if row is None:
        raise Refusal("not_found")
    return row, store.community_member(tx, community, account), seqs[channel]


def view(tx: Tx, viewer: str, community: str) -> p.Community:
    """A community as one account sees it. Errors: `not_found`."""
    row = store.community_card(tx, community, viewer)
    if row is None:
        raise Refusal("not_found")
    return _view(row)


def _view(row: CommunityCardRow) -> p.Community:
    community = row.community
    return p.Community(
        id=community.id,
        channel=community_channel(community.id),
        name=community.name,
        purpose=community.purpose,
        creator=community.creator,
        created_at=community.created_at,
        members=community.members,
        seq=row.seq,
        role=p.Role(row.role) if row.role else None,
    )


def _check_room_left(tx: Tx, account: str, limits: Limits) -> None:
    if store.count_communities(tx, account) >= limits.communities_per_account_max:
        most = limits.communities_per_account_max
        raise Refusal("full", "You are in as many communities as one can be.", limit=most)
