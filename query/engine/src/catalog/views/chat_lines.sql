-- One row per chat line. The text of a redacted line is NULL; the row shows who redacted it, and the reason.
-- `time` is NULL if the event claims an implausible one.
with lines as (
    select subject, seq, case when not time_implausible then time end as time, sender, participant_id, visibility,
        operational, data, agent, portal, customer, ticket
    from archive.deduplicated_events
    where type = 'chat.line'
),
redactions as (
    -- The first redaction of each line counts.
    select subject, seq, reason, operational ->> 'by' as redacted_by
    from archive.events
    where type = 'chat.redacted'
    qualify row_number() over (partition by subject, seq order by kafka_topic, kafka_partition, kafka_offset) = 1
)
select
    lines.subject as session,
    lines.seq,
    lines.time,
    lines.sender,
    lines.participant_id,
    lines.visibility,
    lines.operational ->> 'lang' as lang,
    case when redactions.subject is null then lines.data ->> 'text' end as text,
    redactions.subject is not null as redacted,
    redactions.reason as redaction_reason,
    redactions.redacted_by,
    lines.agent,
    lines.portal,
    lines.customer,
    lines.ticket
from lines
left join redactions on lines.subject = redactions.subject and lines.seq = redactions.seq
