-- The sessions computed from all events at once, independently of the maintained table, which is compared with them.
with session_events as (
    select subject, type, time, portal, mode, customer, ticket, agent, waited, duration, resolution, resolved, rating,
        recording_id, operational, queue, ended_by, data, kafka_partition, kafka_offset
    from archive.deduplicated_events
    -- Families of types whose subject is a session; those of agents, queues, tickets and the archive itself are not.
    where split_part(type, '.', 1) in (
        'session', 'consent', 'connection', 'reboot', 'code', 'chat', 'diagnostics', 'file', 'control', 'whiteboard',
        'url', 'clipboard', 'recording', 'survey'
    )
),
attributed as (
    select subject, type, time, mode, waited, duration, resolution, resolved, rating, recording_id, queue, ended_by,
        kafka_partition, kafka_offset,
        case when type = 'survey.submitted' then data ->> 'feedback' end as feedback,
        case when type = 'session.requested' then coalesce(operational ->> 'portal', portal) else portal end as portal,
        case when type = 'session.started' then coalesce(customer, operational ->> 'customer_id')
             when type = 'session.requested' then coalesce(customer, operational ->> 'account')
             else customer end as customer,
        case when type = 'session.linked' then coalesce(operational ->> 'ticket', ticket) else ticket end as ticket,
        case when type = 'session.started' then coalesce(operational ->> 'agent_id', agent)
             when type = 'session.transferred' then coalesce(operational ->> 'to_agent', agent) end as handled_by,
        agent
    from session_events
),
grouped as (
    select subject,
        first_value(portal order by kafka_partition, kafka_offset) filter (where portal is not null) as portal,
        first_value(mode order by kafka_partition, kafka_offset) filter (where mode is not null) as mode,
        first_value(customer order by kafka_partition, kafka_offset) filter (where customer is not null) as customer,
        last_value(ticket order by kafka_partition, kafka_offset) filter (where ticket is not null) as ticket,
        last_value(handled_by order by kafka_partition, kafka_offset) filter (where handled_by is not null) as handled_by,
        last_value(agent order by kafka_partition, kafka_offset) filter (where agent is not null) as agent,
        min(time) as first_time,
        max(time) as last_time,
        min(time) filter (where type = 'session.requested') as requested_at,
        min(time) filter (where type = 'session.queued') as queued_at,
        min(time) filter (where type = 'session.started') as started_at,
        max(time) filter (where type = 'session.ended') as ended_at,
        max(waited) as waited,
        last_value(duration order by kafka_partition, kafka_offset) filter (where type = 'session.ended' and duration is not null) as duration,
        last_value(resolution order by kafka_partition, kafka_offset) filter (where resolution is not null) as resolution,
        last_value(resolved order by kafka_partition, kafka_offset) filter (where resolved is not null) as resolved,
        first_value(queue order by kafka_partition, kafka_offset) filter (where queue is not null) as queue,
        last_value(ended_by order by kafka_partition, kafka_offset) filter (where ended_by is not null) as ended_by,
        last_value(feedback order by kafka_partition, kafka_offset) filter (where feedback is not null) as feedback,
        last_value(rating order by kafka_partition, kafka_offset) filter (where rating is not null) as rating,
        last_value(type order by kafka_partition, kafka_offset)
            filter (where type in ('session.declined', 'session.abandoned', 'session.failed')) as failure,
        count(*) as events,
        count(*) filter (where type = 'chat.line') as chat_lines,
        count(*) filter (where type in ('file.sent', 'file.received')) as files,
        count(*) filter (where type = 'reboot.requested') as reboots,
        count(*) filter (where type = 'session.transferred') as transfers,
        count(*) filter (where type = 'diagnostics.collected') as diagnostics,
        count(distinct recording_id) as recordings
    from attributed
    group by subject
)
select
    subject as session,
    portal,
    mode,
    queue,
    customer,
    ticket,
    coalesce(handled_by, agent) as agent,
    requested_at,
    queued_at,
    started_at,
    ended_at,
    first_time,
    last_time,
    coalesce(
        waited,
        case when started_at >= requested_at then date_part('epoch', started_at) - date_part('epoch', requested_at) end
    ) as waited,
    coalesce(
        duration,
        case when ended_at >= started_at then date_part('epoch', ended_at) - date_part('epoch', started_at) end
    ) as handled,
    case when ended_at is not null then 'ended'
         when started_at is not null then 'started'
         when failure is not null then substr(failure, 9)
         when queued_at is not null then 'queued'
         when requested_at is not null then 'requested' end as state,
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
    recordings
from grouped
order by session
