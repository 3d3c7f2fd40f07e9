-- title: Cost and return of sessions
-- description: What sessions cost and what they saved by issue type: closed tickets with a session against closed tickets without one. The saving is the difference of the mean time to close, for each ticket with a session, at the cost of an hour that a ticket stays open.
-- column issue_type (text): the issue type; (none) if it is unknown
-- column tickets_with (tickets): closed tickets with a session that started
-- column tickets_without (tickets): closed tickets without one
-- column hours_with (hours): mean time from opening to closing with a session
-- column hours_without (hours): the same without
-- column session_hours (hours): agents' time in the sessions of these tickets
-- column session_cost (money): session_hours at agent_cost_per_hour
-- column saving (money): hours saved at open_cost_per_hour; NULL if there is no ticket to compare with
-- column net (money): saving less session_cost
-- column return_percent (percent): net of session_cost
-- parameter from: tickets that were opened at this time or later
-- parameter to: tickets that were opened before this time
-- parameter agent_cost_per_hour: the cost of an agent's hour
-- parameter open_cost_per_hour: the cost of an hour that a ticket is open
-- plot: bar x=issue_type y=session_cost,saving
with served as (
    select ticket, sum(coalesce(handled, 0)) / 3600 as session_hours
    from archive.sessions
    where ticket is not null and started_at is not null
    group by ticket
),
compared as (
    select
        coalesce(tickets.issue_type, '(none)') as issue_type,
        count(served.ticket) as tickets_with,
        count(*) - count(served.ticket) as tickets_without,
        avg((date_part('epoch', closed_at) - date_part('epoch', opened_at)) / 3600)
            filter (where served.ticket is not null) as hours_with,
        avg((date_part('epoch', closed_at) - date_part('epoch', opened_at)) / 3600)
            filter (where served.ticket is null) as hours_without,
        coalesce(sum(served.session_hours), 0) as session_hours
    from crm.tickets as tickets
    left join served on served.ticket = tickets.ticket
    where tickets.closed_at is not null
        and tickets.opened_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and tickets.opened_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    group by 1
),
priced as (
    select *,
        session_hours * 30.0 /* agent_cost_per_hour */ as session_cost,
        tickets_with * (hours_without - hours_with) * 5.0 /* open_cost_per_hour */ as saving
    from compared
)
select
    issue_type,
    tickets_with,
    tickets_without,
    round(hours_with, 2) as hours_with,
    round(hours_without, 2) as hours_without,
    round(session_hours, 2) as session_hours,
    round(session_cost, 2) as session_cost,
    round(saving, 2) as saving,
    round(saving - session_cost, 2) as net,
    round(100 * (saving - session_cost) / nullif(session_cost, 0), 1) as return_percent
from priced
order by net desc nulls last, issue_type
