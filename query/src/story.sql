-- The story of the session $1: each of its events once, in order.
with delivered as (
    -- The first delivery of each event, and how many there were.
    select *, count(*) over (partition by subject, type, source, id) as deliveries
    from archive.events
    where subject = $1
    qualify row_number() over (partition by subject, type, source, id order by kafka_topic, kafka_partition, kafka_offset) = 1
),
timed as (
    -- A clock for each topic partition that follows the offsets and never goes back, by which topics are merged.
    select *,
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
select event.* except (clock, place, series, nth_place, nth_event)
from numbered as event
join numbered as spot on event.series = spot.series and event.nth_event = spot.nth_place
order by spot.place
