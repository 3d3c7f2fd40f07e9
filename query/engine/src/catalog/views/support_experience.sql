-- The complete support experience: a row for each session of each ticket, for each ticket without a session, and for
-- each session without a ticket. `recordings` is the number of the session's recordings, `recording` the first of them
-- by id.
with recorded as (
    select session, count(*) as recordings, min(recording_id) as recording
    from archive.recordings
    group by session
)
select
    coalesce(tickets.ticket, sessions.ticket) as ticket,
    tickets.opened_at as ticket_opened_at,
    sessions.session,
    sessions.started_at as session_started_at,
    sessions.ended_at as session_ended_at,
    tickets.closed_at as ticket_closed_at,
    tickets.issue_type,
    tickets.priority,
    sessions.agent,
    sessions.resolution,
    sessions.rating,
    case when sessions.session is not null then coalesce(recorded.recordings, 0) end as recordings,
    recorded.recording
from crm.tickets as tickets
full outer join archive.sessions as sessions on sessions.ticket = tickets.ticket
left join recorded on recorded.session = sessions.session
