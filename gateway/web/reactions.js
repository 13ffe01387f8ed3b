// Stamps under a line as the wire tells them: stamp → who left it. No DOM in here.

/** Line → what one left under it, or null. */
export function ownStamp({ reactions = {} }, me) {
  return Object.entries(reactions).find(([, accounts]) => accounts.includes(me))?.[0] ?? null;
}

/** Reactions after somebody's changed to `stamp` (null: none), the rest in their order. */
export function reacted(reactions = {}, account, stamp) {
  const kept = Object.entries(reactions)
    .map(([id, accounts]) => [id, accounts.filter((each) => each !== account || id === stamp)])
    .filter(([, accounts]) => accounts.length);
  const next = Object.fromEntries(kept);
  if (stamp && !next[stamp]?.includes(account)) next[stamp] = [...(next[stamp] ?? []), account];
  return next;
}
