-- One row per support session, also of those that are not over.
-- `waited` and `handled` are seconds; `agents` is a JSON array of everybody who handled it, `agent` the last of them.
-- `resolution` is the agent's outcome, `resolved`, `rating` and `feedback` are the customer's answers; an unanswered survey
-- leaves them NULL. `broken_off`: it was started, no session.ended was seen, and nothing was heard of it for an hour.
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
    started_at is not null and ended_at is null and last_time < now() - interval '1 hour' as broken_off
from archive.session_states
