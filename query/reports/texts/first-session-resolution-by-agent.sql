-- title: First-session resolution by agent
-- description: The share of tickets that were resolved in their first session: its outcome is resolved, and the ticket never had another session that started.
-- column agent (text): the last agent of the ticket's first session; (none) if it is unknown
-- column tickets (tickets): tickets with a session that started and ended
-- column resolved_first (tickets): resolved in the first session
-- column reopened (tickets): resolved in the first session, and another session followed
-- column unresolved (tickets): not resolved in the first session
-- column first_session_percent (percent): tickets resolved in the first session of all tickets
-- parameter from: tickets whose first session started at this time or later
-- parameter to: tickets whose first session started before this time
-- parameter portal: portals of the first session that match, as in LIKE: % matches any text
-- parameter agent: agents of the first session that match, as in LIKE
-- plot: bar x=agent y=first_session_percent
with served as (
    select ticket, count(*) as sessions, min(started_at) as first_at
    from archive.sessions
    where ticket is not null and started_at is not null
    group by ticket
),
firsts as (
    -- One row for each ticket, also if two of its sessions started at the same time.
    select served.ticket, served.sessions, served.first_at,
        min(first.agent) as agent, min(first.portal) as portal, min(first.resolution) as resolution,
        max(first.ended_at) as ended_at
    from served
    join archive.sessions as first on first.ticket = served.ticket and first.started_at = served.first_at
    group by served.ticket, served.sessions, served.first_at
)
select
    coalesce(agent, '(none)') as agent,
    count(*) as tickets,
    count(*) filter (where resolution = 'resolved' and sessions = 1) as resolved_first,
    count(*) filter (where resolution = 'resolved' and sessions > 1) as reopened,
    count(*) filter (where coalesce(resolution, 'unknown') <> 'resolved') as unresolved,
    round(100.0 * count(*) filter (where resolution = 'resolved' and sessions = 1) / count(*), 1) as first_session_percent
from firsts
where ended_at is not null
    and first_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
    and first_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    and coalesce(portal, '') like '%' /* portal */
    and coalesce(agent, '') like '%' /* agent */
group by 1
order by first_session_percent desc, tickets desc, 1
