-- title: Resolution by issue type
-- description: How sessions ended by the issue type of their ticket, as the agent recorded it and as the customer answered.
-- column issue_type (text): the ticket's issue type; (none) for sessions without a ticket or with an unknown ticket
-- column sessions (sessions): sessions that ended
-- column resolved (sessions): the agent's outcome is resolved
-- column unresolved (sessions): the agent's outcome is unresolved
-- column unknown (sessions): the agent's outcome is unknown, or there is none
-- column resolved_percent (percent): resolved sessions of all sessions
-- column customer_yes (sessions): the customer answered that the issue is resolved
-- column customer_no (sessions): the customer answered that it is not
-- column average_rating (stars): mean of the ratings, 1 to 5; NULL if there is none
-- parameter from: sessions that started at this time or later
-- parameter to: sessions that started before this time
-- parameter portal: portals that match, as in LIKE: % matches any text
-- parameter agent: agents that match, as in LIKE
-- plot: stacked x=issue_type y=resolved,unresolved,unknown
select
    coalesce(tickets.issue_type, '(none)') as issue_type,
    count(*) as sessions,
    count(*) filter (where sessions.resolution = 'resolved') as resolved,
    count(*) filter (where sessions.resolution = 'unresolved') as unresolved,
    count(*) filter (where coalesce(sessions.resolution, 'unknown') not in ('resolved', 'unresolved')) as unknown,
    round(100.0 * count(*) filter (where sessions.resolution = 'resolved') / count(*), 1) as resolved_percent,
    count(*) filter (where sessions.resolved = 'yes') as customer_yes,
    count(*) filter (where sessions.resolved = 'no') as customer_no,
    round(avg(sessions.rating), 2) as average_rating
from archive.sessions as sessions
left join crm.tickets as tickets on tickets.ticket = sessions.ticket
where sessions.ended_at is not null
    and sessions.started_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
    and sessions.started_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    and coalesce(sessions.portal, '') like '%' /* portal */
    and coalesce(sessions.agent, '') like '%' /* agent */
group by 1
order by sessions desc, 1
