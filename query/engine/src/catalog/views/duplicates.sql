-- Every delivery of each event that was delivered more than once, in order of delivery.
with duplicated as (
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
    duplicated.deliveries,
    events.*
from duplicated
join archive.events as events
    on events.subject = duplicated.subject and events.type = duplicated.type
    and events.source = duplicated.source and events.id = duplicated.id
