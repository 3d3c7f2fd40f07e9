-- One row per screen recording. Chunks are numbered from 0; a chunk that was delivered twice counts once.
-- `complete`: the recording has an end (its last chunk, or recording.ended), and every chunk up to the end is archived.
-- `missing` lists the numbers of missing chunks, for example '3-5, 9'.
-- A time is NULL also where its events claim implausible ones.
with recorded as (
    select subject, recording_id, type, seq, first_ms, last_ms, last, size, media_type, duration, operational,
        case when not time_implausible then time end as time,
        kafka_topic, kafka_partition, kafka_offset
    from archive.deduplicated_events
    where type in ('recording.started', 'recording.chunk', 'recording.paused', 'recording.ended')
        and recording_id is not null
),
chunks as (
    select subject, recording_id, seq, first_ms, last_ms, last, size, time,
        lead(seq) over (partition by subject, recording_id order by seq) as next_seq
    from (
        select *
        from recorded
        where type = 'recording.chunk' and seq >= 0
        qualify row_number() over (partition by subject, recording_id, seq order by kafka_topic, kafka_partition, kafka_offset) = 1
    )
),
chunked as (
    select subject, recording_id,
        count(*) as chunks,
        min(seq) as first_seq,
        max(seq) as last_seq,
        min(first_ms) as first_ms,
        max(last_ms) as last_ms,
        sum(size) as bytes,
        min(time) as first_time,
        coalesce(bool_or(last), false) as has_last,
        string_agg(
            case when next_seq = seq + 2 then cast(seq + 1 as varchar)
                 else cast(seq + 1 as varchar) || '-' || cast(next_seq - 1 as varchar) end,
            ', ' order by seq
        ) filter (where next_seq > seq + 1) as gaps
    from chunks
    group by subject, recording_id
),
summarised as (
    select subject, recording_id,
        min(time) filter (where type = 'recording.started') as started_at,
        max(time) filter (where type = 'recording.ended') as ended_at,
        max(media_type) filter (where type = 'recording.started') as media_type,
        max(json_get_int(operational, 'width')) filter (where type = 'recording.started') as width,
        max(json_get_int(operational, 'height')) filter (where type = 'recording.started') as height,
        count(*) filter (where type = 'recording.paused') as pauses,
        max(json_get_int(operational, 'chunks')) filter (where type = 'recording.ended') as chunks_announced,
        max(duration) filter (where type = 'recording.ended') as duration,
        coalesce(bool_or(type = 'recording.ended'), false) as ended
    from recorded
    group by subject, recording_id
),
joined as (
    select summarised.subject, summarised.recording_id, started_at, ended_at, media_type, width, height, pauses, duration,
        coalesce(chunks, 0) as chunks,
        first_seq, last_seq, first_ms, last_ms,
        coalesce(bytes, 0) as bytes,
        ended or coalesce(has_last, false) as has_end,
        -- Chunks 0 to expected - 1 should be archived.
        greatest(coalesce(last_seq + 1, 0), coalesce(chunks_announced, 0)) as expected,
        gaps
    from summarised
    left join chunked on summarised.subject = chunked.subject and summarised.recording_id = chunked.recording_id
)
select
    subject as session,
    recording_id,
    started_at,
    ended_at,
    media_type,
    width,
    height,
    chunks,
    first_ms,
    last_ms,
    bytes,
    duration,
    pauses,
    has_end and chunks > 0 and expected = chunks as complete,
    expected - chunks as missing_chunks,
    nullif(concat_ws(', ',
        case when first_seq = 1 then '0' when first_seq > 1 then '0-' || cast(first_seq - 1 as varchar) end,
        gaps,
        case when expected = coalesce(last_seq, -1) + 2 then cast(expected - 1 as varchar)
             when expected > coalesce(last_seq, -1) + 2
                 then cast(coalesce(last_seq, -1) + 1 as varchar) || '-' || cast(expected - 1 as varchar) end
    ), '') as missing
from joined
