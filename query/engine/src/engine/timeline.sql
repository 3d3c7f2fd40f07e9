-- The time line of the session $1: each of its events once, in order.
with delivered as (
    -- The first delivery of each event, and the number of its deliveries.
    select kafka_topic, kafka_partition, kafka_offset, time, time_implausible, archived_at, seq, recording_id,
        count(*) over (partition by type, source, id) as deliveries
    from archive.events
    where subject = $1
    qualify row_number() over (partition by type, source, id order by kafka_topic, kafka_partition, kafka_offset) = 1
),
timed as (
    -- A clock for each topic partition: it follows the offsets and never decreases. Topics are merged by it.
    select kafka_topic, kafka_partition, kafka_offset, seq, recording_id, deliveries,
        max(case when time_implausible then archived_at else time end)
            over (partition by kafka_topic, kafka_partition order by kafka_offset
                  rows between unbounded preceding and current row) as clock
    from delivered
),
placed as (
    select *,
        row_number() over (order by clock, kafka_topic, kafka_partition, kafka_offset) as place
    from timed
),
ranked as (
    -- Events with a seq form series; any other event is a series of its own.
    select *,
        case when seq is null then cast(place as varchar)
             when recording_id is not null then 'recording ' || recording_id
             else 'chat' end as series
    from placed
),
numbered as (
    select *,
        row_number() over (partition by series order by place) as nth_place,
        row_number() over (partition by series order by seq, place) as nth_event
    from ranked
),
sided as (
    -- Each event twice: as the one that is placed, and as the place that it has by its offset.
    select *, unnest(array[true, false]) as is_event
    from numbered
),
ordered as (
    -- The nth event of a series has the nth place of its series.
    select kafka_topic, kafka_partition, kafka_offset, deliveries, is_event,
        max(case when not is_event then place end)
            over (partition by series, case when is_event then nth_event else nth_place end) as slot
    from sided
)
select event.*, ordered.deliveries
from ordered
join archive.events as event
    on event.kafka_topic = ordered.kafka_topic and event.kafka_partition = ordered.kafka_partition
    and event.kafka_offset = ordered.kafka_offset
where event.subject = $1 and ordered.is_event
order by ordered.slot
