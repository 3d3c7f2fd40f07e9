-- Every delivery of each event that was delivered more than once, in order of delivery.
with repeated as (
    select subject, type, source, id, count(*) as deliveries
    from archive.events
    group by subject, type, source, id
    having count(*) > 1
)
select
    row_number() over (
        partition by events.subject, events.type, events.source, events.id
        order by events.kafka_topic, events.kafka_partition, events.kafka_offset
    ) as ordinal,
    repeated.deliveries,
    events.*
from repeated
join archive.events as events
    on events.subject = repeated.subject and events.type = repeated.type
    and events.source = repeated.source and events.id = repeated.id
