-- What can be found: the folded words of posts, people and communities, and an index of their grams, which each
-- dialect keeps in its own way.

create table found (
    n {serial},
    kind text not null,
    ref {key} not null,
    words text not null,
    unique (kind, ref)
);
{postgres} alter table found add column grams text[];
{postgres} create index found_grams on found using gin (grams);
{sqlite} create virtual table found_grams using fts5(
    grams, content = '', contentless_delete = 1, detail = none, tokenize = "ascii"
);
