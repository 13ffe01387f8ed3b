-- Notifications: what others did that concerns an account, folded by what it is about.

-- One line of an account's list: a kind and what it is about (`subject`: a post, a community, a room, a day of follows, a
-- person). `place` is where it stands, the newest on top; it rises under the lock of the account's inbox channel. There are no
-- references to other tables, so that writing one holds no row of them.
create table notification (
    account {key} not null,
    kind {key} not null,
    subject {key} not null,
    place {int} not null,
    post {key},
    community {key},
    room {key},
    primary key (account, kind, subject)
);
create unique index notification_place on notification (account, place);
create index notification_post on notification (post) where post is not null;

-- Who did it, once each; `via` is the post by which (an answer, a mention): who may not read it is not told.
create table notification_actor (
    account {key} not null,
    kind {key} not null,
    subject {key} not null,
    actor {key} not null,
    place {int} not null,
    at {int} not null,
    via {key},
    primary key (account, kind, subject, actor)
);
create unique index notification_actor_place on notification_actor (account, place);
create index notification_actor_newest on notification_actor (account, kind, subject, place);
create index notification_actor_via on notification_actor (via) where via is not null;
create index notification_actor_actor on notification_actor (actor);
create index notification_actor_at on notification_actor (at);

-- `top` is the newest place given, `upto` the account's own read position, `told_at` when an entry last told of something,
-- `trimmed` the top when what is too much was last taken away.
create table notification_state (
    account {key} primary key,
    top {int} not null,
    upto {int} not null,
    told_at {int} not null,
    trimmed {int} not null
);

-- A row is a kind that an account does not want to be told of.
create table notification_switch (
    account {key} not null,
    kind {key} not null,
    primary key (account, kind)
);
