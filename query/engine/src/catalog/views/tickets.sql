-- One row per ticket, from the archive's own ticket events: the first opening, the last closing unless the ticket
-- changed to another status after it, and the last value of every other column. A duplicate event changes nothing.
-- An event that claims an implausible time counts at its arrival, and no time is shown of it.
with ticket_events as (
    select subject, type, agent, customer,
        case when not time_implausible then time end as time,
        case when time_implausible then archived_at else time end as happened_at,
        operational ->> 'issue_type' as issue_type,
        operational ->> 'priority' as priority,
        coalesce(operational ->> 'status', case type when 'ticket.closed' then 'closed' when 'ticket.opened' then 'open' end)
            as status,
        operational ->> 'owner' as owner,
        kafka_partition, kafka_offset
    from archive.events
    where type in ('ticket.opened', 'ticket.changed', 'ticket.closed')
),
grouped as (
    select subject,
        min(time) filter (where type = 'ticket.opened') as opened_at,
        max(time) filter (where type = 'ticket.closed') as last_closed_at,
        max(happened_at) filter (where type = 'ticket.closed') as last_close,
        max(happened_at) filter (where type = 'ticket.opened' or (type = 'ticket.changed' and status is not null and status <> 'closed'))
            as last_open,
        last_value(issue_type order by happened_at, kafka_partition, kafka_offset) filter (where issue_type is not null) as issue_type,
        last_value(priority order by happened_at, kafka_partition, kafka_offset) filter (where priority is not null) as priority,
        last_value(status order by happened_at, kafka_partition, kafka_offset) filter (where status is not null) as status,
        last_value(owner order by happened_at, kafka_partition, kafka_offset) filter (where owner is not null) as owner,
        last_value(customer order by happened_at, kafka_partition, kafka_offset) filter (where customer is not null) as customer
    from ticket_events
    group by subject
)
select
    subject as ticket,
    opened_at,
    case when last_open is null or last_close >= last_open then last_closed_at end as closed_at,
    issue_type,
    priority,
    status,
    owner,
    customer
from grouped
