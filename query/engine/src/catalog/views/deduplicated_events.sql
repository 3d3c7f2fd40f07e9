-- Every event once: as `events`, without the second and later deliveries of an event that was delivered more than once.
-- An event is identified by its session, type, source and id. Duplicates are few, so finding them first is cheaper than
-- sorting all events. A filter on `subject` or `type` is pushed down to both sides.
with duplicated as (
    select subject, type, source, id
    from archive.events
    group by subject, type, source, id
    having count(*) > 1
),
deliveries as (
    select event.subject, event.type, event.kafka_topic, event.kafka_partition, event.kafka_offset,
        row_number() over (
            partition by event.subject, event.type, event.source, event.id
            order by event.kafka_topic, event.kafka_partition, event.kafka_offset
        ) as ordinal
    from duplicated
    join archive.events as event
        on event.subject = duplicated.subject and event.type = duplicated.type
        and event.source = duplicated.source and event.id = duplicated.id
)
select *
from archive.events as event
where not exists (
    select 1
    from deliveries as later
    where later.subject = event.subject
        and later.type = event.type
        and later.kafka_topic = event.kafka_topic
        and later.kafka_partition = event.kafka_partition
        and later.kafka_offset = event.kafka_offset
        and later.ordinal > 1
)
