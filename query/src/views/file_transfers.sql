-- One row per file that was sent to the customer's device or received from it.
with once as (
    select *
    from archive.events
    where type in ('file.sent', 'file.received')
    qualify row_number() over (partition by subject, source, id order by kafka_topic, kafka_partition, kafka_offset) = 1
)
select
    subject as session,
    time,
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
from once
