-- One row per diagnostic report. `disks`, `apps`, `services` and `report` are JSON.
-- `time` is NULL if the event claims an implausible one.
with reports as (
    select *
    from archive.deduplicated_events
    where type = 'diagnostics.collected'
)
select
    subject as session,
    case when not time_implausible then time end as time,
    kind,
    personal ->> 'hostname' as hostname,
    personal ->> 'device_serial' as device_serial,
    operational ->> 'os' as os,
    operational ->> 'os_version' as os_version,
    operational ->> 'cpu' as cpu,
    json_get_int(operational, 'memory') as memory,
    operational ->> 'disks' as disks,
    operational ->> 'apps' as apps,
    operational ->> 'services' as services,
    data ->> 'report' as report,
    agent,
    portal,
    customer,
    ticket
from reports
