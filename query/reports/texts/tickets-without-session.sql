-- title: Tickets that should have had a session
-- description: Tickets that never got a session that started, though their priority is high, they stayed open long, or tickets of their issue type usually get one. Those with most reasons come first.
-- column ticket (text): the ticket
-- column opened_at (time): when it was opened
-- column closed_at (time): when it was closed; NULL while it is open
-- column issue_type (text): its issue type
-- column priority (text): its priority
-- column status (text): its status
-- column owner (text): its owner
-- column customer (text): the customer's account
-- column open_hours (hours): from its opening to its closing, or to now
-- column usual_percent (percent): tickets of its issue type that got a session
-- column reasons (number): how many of the three reasons apply
-- column is_high_priority (yes or no): its priority is high, urgent or critical, or 1, 2, P1 or P2
-- column is_open_long (yes or no): it was or is open for long_hours or longer
-- column is_usual (yes or no): its issue type has at least usual_tickets tickets, and at least usual_percent of them got a session
-- parameter from: tickets that were opened at this time or later
-- parameter to: tickets that were opened before this time; an open ticket counts as open up to this time at most
-- parameter long_hours: from how many hours on a ticket is open long
-- parameter usual_percent: from which percentage on a session is usual for an issue type
-- parameter usual_tickets: the fewest tickets of an issue type for which is_usual is computed
-- parameter rows: the most tickets that are shown
-- plot: none
with served as (
    select ticket
    from archive.sessions
    where ticket is not null and started_at is not null
    group by ticket
),
known as (
    select tickets.ticket, tickets.opened_at, tickets.closed_at, tickets.issue_type, tickets.priority, tickets.status,
        tickets.owner, tickets.customer,
        served.ticket is not null as is_served,
        case when tickets.issue_type is not null then count(*) over alike end as alike,
        case when tickets.issue_type is not null then 100 * cast(count(served.ticket) over alike as double precision)
            / count(*) over alike end as usual_percent,
        (date_part('epoch', coalesce(tickets.closed_at, least(now(), timestamptz '2200-01-01 00:00:00Z' /* to */)))
            - date_part('epoch', tickets.opened_at)) / 3600 as open_hours
    from crm.tickets as tickets
    left join served on served.ticket = tickets.ticket
    where tickets.opened_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and tickets.opened_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    window alike as (partition by tickets.issue_type)
),
judged as (
    select *,
        coalesce(lower(priority) in ('high', 'urgent', 'critical', '1', '2', 'p1', 'p2'), false) as is_high_priority,
        coalesce(open_hours >= 24.0 /* long_hours */, false) as is_open_long,
        coalesce(alike >= 5 /* usual_tickets */ and usual_percent >= 50.0 /* usual_percent */, false) as is_usual
    from known
),
counted as (
    select *,
        case when is_high_priority then 1 else 0 end + case when is_open_long then 1 else 0 end
            + case when is_usual then 1 else 0 end as reasons
    from judged
)
select ticket, opened_at, closed_at, issue_type, priority, status, owner, customer,
    round(open_hours, 1) as open_hours,
    round(usual_percent, 1) as usual_percent,
    reasons, is_high_priority, is_open_long, is_usual
from counted
where reasons > 0 and not is_served
order by reasons desc, open_hours desc, ticket
limit 1000 /* rows */
