import { forgetMs, memoryMs, type BanRule } from './ban.js';
import type { Charge, Reading } from './meter.js';

/** What goes with a charge to a shared store. */
export interface Order {
  readonly charge: Charge;
  /** Take up to so many if there is room, at least the cost. */
  readonly want: number;
  /** Permits of this process whose time is over, used or not: they no longer count as held ahead. */
  readonly settle: number;
  /** Of those, what was not used: it goes back into the meter. */
  readonly unused: number;
  /**
   * What was admitted while the store was away: take it whether it fits or not, up to what the meter holds. Afterwards at
   * least so much stands there, in the meter's units, to the nearest request.
   */
  readonly force?: { readonly atLeast: number };
}

export interface Receipt extends Reading {
  /** What was really taken. */
  readonly granted: number;
  /** What stands in the meter, in its own units. */
  readonly held: number;
}

/**
 * All charges of one call in one atomic step, on the server's own clock (the clocks of several hosts differ, and a rate is
 * made of differences). Per charge two keys: the meter, `held:at:ahead:aheadUntil`, and its ban,
 * `refusals:since:until:number`. Times are microseconds, all numbers whole and below 2^53, so that Lua's doubles are exact.
 * `ahead` are the permits that processes hold and have not used yet, all together. What is taken ahead is taken of all
 * meters alike.
 */
export const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count = #KEYS / 2
local FIELDS = 12
local function text(a, b, c, d) return string.format('%.0f:%.0f:%.0f:%.0f', a, b, c, d) end
local function parse(raw)
  local a, b, c, d = string.match(raw or '', '^(%d+):(%d+):(%d+):(%d+)$')
  if a then return tonumber(a), tonumber(b), tonumber(c), tonumber(d) end
end
local states, all, extra = {}, true, math.huge
for i = 1, count do
  local o = (i - 1) * FIELDS
  local s = {window = ARGV[o + 1] == 'w', cost = tonumber(ARGV[o + 2]), want = tonumber(ARGV[o + 3]),
    limit = tonumber(ARGV[o + 4]), unit = tonumber(ARGV[o + 5]), leak = tonumber(ARGV[o + 6]),
    settle = tonumber(ARGV[o + 7]), lease = tonumber(ARGV[o + 8]), unused = tonumber(ARGV[o + 9]),
    force = tonumber(ARGV[o + 10]), ban = ARGV[o + 11], leaseFor = tonumber(ARGV[o + 12]), banned = 0, newBan = 0}
  local held, at, ahead, aheadUntil = parse(redis.call('GET', KEYS[2 * i - 1]))
  s.changed = s.unused > 0 or (s.settle > 0 and held ~= nil) or s.cost < 0
  held, at, ahead, aheadUntil = held or 0, at or now, ahead or 0, aheadUntil or 0
  if aheadUntil <= now then ahead = 0 end
  s.ahead, s.aheadUntil = math.max(0, ahead - s.settle), aheadUntil
  local given = s.unused
  if s.cost < 0 then given = given - s.cost end
  if s.window then
    -- 'unit' is the length of the window; 'at' is when it ends.
    if at <= now or at > now + s.unit then held, at, s.ahead = 0, now + s.unit, 0 end
    held = math.max(0, held - given)
    s.full = s.limit
    s.each = 1
  else
    s.full = s.limit * s.unit
    s.each = s.unit
    -- A clock that was set back gives nothing twice; if it was set back far, time goes on from here.
    if at - now > s.full / s.leak then at, s.changed = now, true end
    held = math.max(0, held - math.max(0, now - at) * s.leak)
    held = math.max(0, held - given * s.unit)
    at = math.max(at, now)
  end
  s.held, s.at, s.before = held, at, held
  s.room = math.floor((s.full - held) / s.each)
  if s.ban ~= '' and s.cost > 0 and not s.force then
    local r, since, till, number = parse(redis.call('GET', KEYS[2 * i]))
    s.refusals, s.since, s.till, s.number = r or 0, since or 0, till or 0, number or 0
    s.banned = math.max(0, s.till - now)
  end
  s.fits = s.banned == 0 and (s.cost <= 0 or s.force or s.cost <= s.room)
  all = all and s.fits
  -- Half of what may still be held ahead: the others get a part too.
  extra = math.min(extra, s.want - s.cost, s.room - s.cost, math.floor((s.lease - s.ahead) / 2))
  states[i] = s
end
extra = math.max(0, extra)
local reply = {}
for i = 1, count do
  local s = states[i]
  local granted = 0
  if all and s.cost > 0 then
    if s.force then granted = math.max(0, math.min(s.cost, s.room))
    else
      granted = s.cost + extra
      if extra > 0 then
        s.ahead = s.ahead + extra
        s.aheadUntil = math.max(s.aheadUntil, now + s.leaseFor)
      end
    end
    s.held = s.held + granted * s.each
    s.changed = true
  end
  if s.force then
    local missing = math.floor((s.force - s.held) / s.each + 0.5)
    if missing > 0 then s.held, s.changed = math.min(s.full, s.held + missing * s.each), true end
  end
  local wait = 0
  if not s.fits then
    if s.banned == 0 and s.ban ~= '' then
      local after, within, lengths, forget, keep = string.match(s.ban, '^(%d+),(%d+),([%d/]+),(%d+),(%d+)$')
      if s.till + forget * 1000 <= now then s.number = 0 end
      if s.since + within * 1000 <= now then s.refusals, s.since = 0, now end
      s.refusals = s.refusals + 1
      if s.refusals >= tonumber(after) then
        s.refusals, s.number = 0, s.number + 1
        local n = 0
        for length in string.gmatch(lengths, '%d+') do
          n = n + 1
          if n <= s.number then s.banned = length * 1000 end
        end
        s.till, s.newBan = now + s.banned, s.number
      end
      redis.call('SET', KEYS[2 * i], text(s.refusals, s.since, s.till, s.number), 'PX', keep)
    end
    if s.cost > s.limit then wait = -1
    elseif s.cost > s.room then
      if s.window then wait = s.at - now
      else wait = math.ceil((s.held + s.cost * s.unit - s.full) / s.leak) + s.at - now end
    end
    if s.banned > 0 and wait >= 0 then wait = math.max(wait, s.banned) end
  end
  local reset = s.at - now
  if not s.window then reset = reset + math.ceil(s.held / s.leak) end
  if s.changed then
    local keep = math.max(reset, s.ahead > 0 and s.aheadUntil - now or 0)
    if s.held == 0 and s.ahead == 0 then redis.call('DEL', KEYS[2 * i - 1])
    else redis.call('SET', KEYS[2 * i - 1], text(s.held, s.at, s.ahead, s.aheadUntil), 'PX', math.ceil(keep / 1000) + 1) end
  end
  local work = 0
  if not s.window then work = math.floor(s.before / s.leak) + s.at - now end
  for _, value in ipairs({s.fits and 1 or 0, s.held, wait, reset, work, granted, s.banned, s.newBan}) do
    reply[#reply + 1] = string.format('%.0f', value)
  end
end
return reply`;

/** A ban that began while the store was away; a longer one that is there stays. */
export const BAN = `
local time = redis.call('TIME')
local till = time[1] * 1000000 + time[2] + ARGV[1]
local there, number = string.match(redis.call('GET', KEYS[1]) or '', '^%d+:%d+:(%d+):(%d+)$')
if tonumber(there or 0) < till then
  number = math.max(tonumber(number or 0), tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], string.format('0:0:%.0f:%.0f', till, number), 'PX', ARGV[3])
end`;

const REPLY_FIELDS = 8;

/** The script's arguments for these orders. */
export function takeArguments(
  orders: readonly Order[],
  lease: number,
  leaseMs: number,
  ban: BanRule | undefined,
): string[] {
  const banText = ban
    ? `${ban.after},${ban.withinMs},${ban.lengthsMs.join('/')},${forgetMs(ban)},${Math.ceil(memoryMs(ban))}`
    : '';
  return orders.flatMap(({ charge: { meter, cost, limit }, want, settle, unused, force }) =>
    [
      ...(meter.kind === 'window'
        ? ['w', cost, want, limit, meter.windowMs * 1000, 0]
        : ['r', cost, want, limit, meter.unit, meter.leak]),
      settle,
      lease,
      unused,
      force ? force.atLeast : '',
      banText,
      Math.ceil(leaseMs * 1000),
    ].map(String),
  );
}

/** @throws TypeError if the reply is none */
export function readReceipts(raw: unknown, orders: readonly Order[]): Receipt[] {
  if (!Array.isArray(raw) || raw.length !== orders.length * REPLY_FIELDS)
    throw new TypeError('The store answered oddly.');
  return orders.map(({ charge: { meter } }, i) => {
    const values = raw.slice(i * REPLY_FIELDS, (i + 1) * REPLY_FIELDS).map(Number);
    if (!values.every((value) => Number.isFinite(value))) throw new TypeError('The store answered oddly.');
    const [fits, held, wait, reset, ahead, granted, banned, newBan] = values as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      admitted: fits === 1,
      used: meter.kind === 'window' ? held : Math.ceil(held / meter.unit),
      waitMs: wait < 0 ? Infinity : wait / 1000,
      resetMs: reset / 1000,
      aheadMs: ahead / 1000,
      bannedMs: banned / 1000,
      newBan,
      granted,
      held,
    };
  });
}
