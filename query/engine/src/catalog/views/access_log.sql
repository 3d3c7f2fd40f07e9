-- One row per access to the archive, and per refused attempt: user, time, address, purpose. An access is recorded when
-- it begins and when it has ended; one row joins both events. `outcome` is complete, cancelled, failed, refused, or
-- NULL while the access is in progress (or if the process died). `subjects` is a JSON array of the sessions and other
-- subjects of events whose protected data was read; `all_subjects` is true if they were too many to name. `tables` and
-- `tiers` are what the access could read, known when it began. Without an end, `subjects`, `customers` and `tickets` are
-- those whose protected data it could read, and `all_subjects` is true if it could read that of others as well, or if
-- the record of its beginning does not say.
with accesses as (
    select subject, type, time, duration, reason, operational, personal, data
    from archive.deduplicated_events
    where type in ('archive.queried', 'archive.viewed', 'archive.exported', 'archive.denied')
),
ended as (
    select
        operational ->> 'access_id' as access_id,
        operational ->> 'outcome' as outcome,
        duration,
        json_get_int(operational, 'rows') as rows,
        json_get_int(operational, 'bytes') as bytes,
        operational ->> 'subjects' as subjects,
        json_get_bool(operational, 'all_subjects') as all_subjects
    from accesses
    where (operational ->> 'stage') = 'ended'
),
begun as (
    select
        time,
        subject as "user",
        operational ->> 'role' as role,
        substr(type, 9) as kind,
        operational ->> 'interface' as interface,
        personal ->> 'remote_ip' as remote_ip,
        data ->> 'statement' as statement,
        operational ->> 'purpose' as purpose,
        reason,
        operational ->> 'access_id' as access_id,
        operational ->> 'tables' as tables,
        operational ->> 'tiers' as tiers,
        operational ->> 'subjects' as subjects,
        operational ->> 'customers' as customers,
        operational ->> 'tickets' as tickets,
        type <> 'archive.denied'
            and coalesce(json_get_bool(operational, 'all_subjects'), (operational ->> 'tiers') is null) as all_subjects,
        type = 'archive.denied' as denied
    from accesses
    where coalesce(operational ->> 'stage', 'begun') = 'begun'
)
select
    begun.time,
    begun."user",
    begun.role,
    begun.kind,
    begun.interface,
    begun.remote_ip,
    begun.statement,
    begun.purpose,
    case when begun.denied then 'refused' else ended.outcome end as outcome,
    begun.reason,
    ended.rows,
    ended.bytes,
    ended.duration,
    case when ended.access_id is null then begun.subjects else ended.subjects end as subjects,
    case when ended.access_id is null then begun.all_subjects else coalesce(ended.all_subjects, false) end as all_subjects,
    begun.access_id,
    begun.tables,
    begun.tiers,
    case when ended.access_id is null then begun.customers end as customers,
    case when ended.access_id is null then begun.tickets end as tickets
from begun
left join ended on ended.access_id = begun.access_id
