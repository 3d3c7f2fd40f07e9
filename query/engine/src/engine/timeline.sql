-- The time line of the session $1: each of its events once, in order.
select event.*, placed.deliveries
from (
    select kafka_topic, kafka_partition, kafka_offset,
        timeline_place(type, source, id, kafka_topic, kafka_partition, kafka_offset,
            case when time_implausible then archived_at else time end, seq, recording_id) over () as place,
        timeline_deliveries(type, source, id) over () as deliveries
    from archive.events
    where subject = $1
) as placed
join archive.events as event
    on event.kafka_topic = placed.kafka_topic and event.kafka_partition = placed.kafka_partition
    and event.kafka_offset = placed.kafka_offset
where event.subject = $1 and placed.place is not null
order by placed.place
