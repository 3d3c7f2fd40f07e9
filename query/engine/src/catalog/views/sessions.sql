-- One row per support session, including sessions that have not ended.
-- `waited` and `handled` are seconds; `agents` is a JSON array of all agents who handled it, `agent` the last of them.
-- `resolution` is the agent's outcome; `resolved`, `rating` and `feedback` are the customer's answers, and NULL if the
-- survey is unanswered. `broken_off`: it was started, has no session.ended, and has had no event for an hour.
-- A time is NULL also where its event claims an implausible one; `waited` and `handled` where they would be negative.
select
    session,
    portal,
    mode,
    queue,
    customer,
    ticket,
    agent,
    agents,
    requested_at,
    queued_at,
    started_at,
    ended_at,
    first_time,
    last_time,
    waited,
    handled,
    state,
    ended_by,
    resolution,
    resolved,
    rating,
    feedback,
    events,
    chat_lines,
    files,
    reboots,
    transfers,
    diagnostics,
    recordings,
    coalesce(state = 'started', false) and last_time < now() - interval '1 hour' as broken_off
from archive.session_states
