-- The story of the session $1: each of its events once, in order.
with delivered as (
    -- The first delivery of each event, and how many there were.
    select kafka_topic, kafka_partition, kafka_offset, time, time_implausible, archived_at, seq, recording_id,
        count(*) over (partition by type, source, id) as deliveries
    from archive.events
    where subject = $1
    qualify row_number() over (partition by type, source, id order by kafka_topic, kafka_partition, kafka_offset) = 1
),
timed as (
    -- A clock for each topic partition that follows the offsets and never goes back, by which topics are merged.
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
)
select event.*, told.deliveries
from numbered as told
join numbered as spot on told.series = spot.series and told.nth_event = spot.nth_place
join archive.events as event
    on event.kafka_topic = told.kafka_topic and event.kafka_partition = told.kafka_partition
    and event.kafka_offset = told.kafka_offset
where event.subject = $1
order by spot.place
