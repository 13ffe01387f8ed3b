"""The server-side functions of the Redis leases, and the names of what they touch.

Used by the leases' Redis adapter only. What always holds: every function is one atomic step; all keys carry
the hash tag `{leases}`; a lease is a key with an expiry, so the server's clock alone decides when it is over.
A node's people lie beside its lease under the same expiry; a generation belongs to the key, not to the people.
"""

from __future__ import annotations

from storage.redis_link import Script

REGISTER = Script("""
-- KEYS: generation, nodes, lease, people. ARGV: node, ttl in ms.
-- The clock is a floor under the counter, so that generations rise even over the loss of all data.
local time = redis.call('TIME')
local floor = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local generation = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, floor)
local text = string.format('%.0f', generation)
redis.call('SET', KEYS[1], text)
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], text, 'PX', ARGV[2])
redis.call('DEL', KEYS[4])
return text
""")

RENEW = Script("""
-- KEYS: lease, people. ARGV: generation, ttl in ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
""")

RELEASE = Script("""
-- KEYS: lease, people, nodes. ARGV: generation, node.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SREM', KEYS[3], ARGV[2])
return 1
""")

ANNOUNCE = Script("""
-- KEYS: lease, people. ARGV: generation, number, how many are set, account and value of each, accounts to remove.
-- The number stands among the people under the empty name. What was given up by its caller may arrive after what followed it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) <= tonumber(redis.call('HGET', KEYS[2], '') or '0') then return 0 end
local first_removed = 4 + 2 * tonumber(ARGV[3])
redis.call('HSET', KEYS[2], '', ARGV[2])
for i = 4, first_removed - 1, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
for i = first_removed, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
redis.call('PEXPIRE', KEYS[2], math.max(1, redis.call('PTTL', KEYS[1])))
return 1
""")

PEOPLE_OF = Script("""
-- KEYS: lease, people. Returns the generation and a flat hash, or nothing if the lease is over.
local generation = redis.call('GET', KEYS[1])
if not generation then return false end
return {generation, redis.call('HGETALL', KEYS[2])}
""")

NODES = Script("""
-- KEYS: nodes. ARGV: what the name of a lease begins with, and of people.
-- Returns node, generation, ms left and number of each living lease.
local out = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local generation = redis.call('GET', ARGV[1] .. node)
  if not generation then
    redis.call('SREM', KEYS[1], node)
  else
    local number = redis.call('HGET', ARGV[2] .. node, '') or '0'
    out[#out + 1] = {node, generation, redis.call('PTTL', ARGV[1] .. node), number}
  end
end
return out
""")
