"""The server-side functions of the Redis courier, and the names of what they touch.

Used by the courier's Redis adapter only. What always holds: one call touches one partition, whose keys carry
the same hash tag; nothing here reads more of a parcel than the head that `realtime.parcels.pack` writes.
"""

from __future__ import annotations

from realtime.parcels import Audience, Parcel, pack
from storage.redis_link import Script

GUARD_TTL_S = 3600
"""How long the server remembers a silent writer's last batch; a connection is given up long before."""

TAIL_CHUNK = 500
"""Stream entries looked at per call: about a quarter of a millisecond of the server's time."""

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

TAIL = Script("""
-- KEYS: log stream. ARGV: where to start (newest first), entries to look at, head of the channel's parcels,
-- seq to go on from, highest seq wanted.
-- Returns where to go on ('' at the log's end), 1 if a seq up to the given one was seen,
-- 1 if that one itself was seen, 1 if a seq above the wanted ones was seen, then the wanted parcels.
local chunk = redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', ARGV[2])
local head, after, last = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local out = {'', 0, 0, 0}
for _, entry in ipairs(chunk) do
  local parcel = entry[2][2]
  if string.sub(parcel, 1, #head) == head then
    local seq = tonumber(string.match(parcel, '^%d+', #head + 1))
    if seq <= after then
      out[2] = 1
      if seq == after then out[3] = 1 end
    elseif seq > last then out[4] = 1
    else out[#out + 1] = parcel end
  end
end
if #chunk == tonumber(ARGV[2]) then out[1] = '(' .. chunk[#chunk][1] end
return out
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


def head_of(channel: str) -> bytes:
    """The bytes that every packed parcel of a channel begins with; its seq follows."""
    packed = pack(Parcel(channel, 0, "", Audience.ALL, "", "", 0, "", b""))
    return b"\x1f".join(packed.split(b"\x1f", 2)[:2]) + b"\x1f"
