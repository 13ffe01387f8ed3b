"""The server-side functions of the Redis courier, and the names of what they touch.

Used by the courier's Redis adapter only. What always holds: one call touches one partition, whose keys carry
the same hash tag; nothing here reads a parcel.
"""

from __future__ import annotations

from storage.redis_link import Script

GUARD_TTL_S = 3600
"""How long the server remembers a silent writer's last batch; a connection is given up long before."""

CARRY = Script("""
-- KEYS: log stream, live channel, guard of this writer.
-- ARGV: batch number, seconds to keep the guard, entries to keep, one letter per parcel (d or e), parcels.
-- Returns -1 for a batch that was carried before, else how many durable parcels could not be appended.
local before = redis.call('GET', KEYS[3])
if before and tonumber(before) >= tonumber(ARGV[1]) then return -1 end
local kept = redis.pcall('SET', KEYS[3], ARGV[1], 'EX', ARGV[2])
if kept.err and string.find(kept.err, 'READONLY', 1, true) then return kept end
local failed = 0
for i = 1, #ARGV - 4 do
  local parcel = ARGV[i + 4]
  if string.sub(ARGV[4], i, i) == 'd' then
    -- A full server refuses to append but can still tell those who listen.
    local id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'p', parcel)
    if type(id) == 'table' and id.err then failed = failed + 1 end
  end
  redis.call('PUBLISH', KEYS[2], parcel)
end
return failed
""")


def log_key(prefix: str, partition: int) -> str:
    """The stream of a partition."""
    return f"{prefix}:{{p{partition}}}:log"


def live_channel(prefix: str, partition: int) -> str:
    """The pub/sub channel of a partition."""
    return f"{prefix}:{{p{partition}}}:live"


def guard_key(prefix: str, partition: int, writer: str) -> str:
    """Where the server notes the last batch it carried for a writer in a partition."""
    return f"{prefix}:{{p{partition}}}:from:{writer}"


def echo_channel(prefix: str, writer: str) -> str:
    """The pub/sub channel on which a node talks to itself, to learn that it would hear others."""
    return f"{prefix}:echo:{writer}"
