-- One row per file that was sent to the customer's device or received from it.
-- `time` is NULL if the event claims an implausible one.
with transfers as (
    select *
    from archive.deduplicated_events
    where type in ('file.sent', 'file.received')
)
select
    subject as session,
    case when not time_implausible then time end as time,
    case type when 'file.sent' then 'sent' else 'received' end as direction,
    personal ->> 'name' as name,
    personal ->> 'path' as path,
    size,
    media_type,
    sha256,
    agent,
    portal,
    customer,
    ticket
from transfers
