-- Every event once: as `events`, without the second and later deliveries of an event that was delivered more than once.
-- An event is known by its session, type, source and id. Repetitions are few, so finding them first is cheaper than
-- ordering all events; a filter on `subject` or `type` reaches both sides.
select *
from archive.events as event
where not exists (
    select 1
    from archive.repetitions as repetition
    where repetition.subject = event.subject
        and repetition.type = event.type
        and repetition.kafka_topic = event.kafka_topic
        and repetition.kafka_partition = event.kafka_partition
        and repetition.kafka_offset = event.kafka_offset
        and repetition.ordinal > 1
)
