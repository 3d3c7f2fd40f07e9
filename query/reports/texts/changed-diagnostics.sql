-- title: What changed on a device between two sessions
-- description: Operating system, memory, disks and applications that differ between the last report of a device's earlier session and the first report of the same kind in its next one: what is different since it last worked. Needs keys of the tier personal, because devices are distinguished by their serial number.
-- column device_serial (text): the device
-- column before_session (text): the earlier session
-- column before_at (time): when its diagnostics were collected
-- column session (text): the later session
-- column collected_at (time): when its diagnostics were collected
-- column part (text): os_version, memory, disk or application
-- column name (text): the disk or application
-- column change (text): added, removed or changed
-- column before (text): the version or size before; NULL if it was added
-- column after (text): the version or size after; NULL if it was removed
-- parameter from: later sessions whose diagnostics were collected at this time or later
-- parameter to: later sessions whose diagnostics were collected before this time
-- parameter device: serial numbers that match, as in LIKE: % matches any text
-- parameter session: later sessions that match, as in LIKE
-- parameter reports: the most reports that are compared with the one before, the newest first
-- plot: none
with reports as (
    -- As the view archive.diagnostics, but directly from the events: duplicates do not change this result.
    select subject as session, time, kind, kafka_offset,
        json_get_str(personal, 'device_serial') as device_serial, operational
    from archive.events
    where type = 'diagnostics.collected'
),
in_order as (
    -- One window over all reports, ordered by device: far cheaper than a partition for each device.
    select device_serial, kind, session, time as collected_at, kafka_offset,
        lag(kafka_offset) over by_device as before_offset,
        lag(device_serial) over by_device as before_device_serial,
        lag(kind) over by_device as before_kind,
        lag(session) over by_device as before_session,
        lag(time) over by_device as before_at
    from reports
    where device_serial like '%' /* device */
    window by_device as (order by device_serial, kind, time, session)
),
followed as (
    select device_serial, kind, session, collected_at, before_session, before_at,
        kafka_offset, before_offset
    from in_order
    where before_device_serial = device_serial and before_kind = kind
),
newest as (
    select *
    from followed
    where before_session <> session
        and collected_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and collected_at < timestamptz '2200-01-01 00:00:00Z' /* to */
        and session like '%' /* session */
    order by collected_at desc, session, device_serial, kind
    limit 1000 /* reports */
),
wanted as (
    select *, unnest(array['before', 'after']) as side
    from newest
),
found as (
    -- What the reports contain is read of those that are compared, and of no others, by their offset. What has that offset in
    -- another topic or partition is of another session, time or kind.
    select wanted.device_serial, wanted.kind, wanted.before_session, wanted.before_at, wanted.session, wanted.collected_at,
        case when report.kind <> wanted.kind then null
            when wanted.side = 'before' and report.session = wanted.before_session and report.time = wanted.before_at
                then 'before'
            when wanted.side = 'after' and report.session = wanted.session and report.time = wanted.collected_at
                then 'after' end as side,
        report.operational ->> 'os_version' as os_version,
        json_get_int(report.operational, 'memory') as memory,
        report.operational ->> 'disks' as disks,
        report.operational ->> 'apps' as apps
    from wanted
    join reports as report
        on report.kafka_offset = case wanted.side when 'before' then wanted.before_offset else wanted.kafka_offset end
),
paired as (
    select device_serial, kind, before_session, before_at, session, collected_at,
        max(os_version) filter (where side = 'before') as before_os_version,
        max(os_version) filter (where side = 'after') as os_version,
        max(memory) filter (where side = 'before') as before_memory,
        max(memory) filter (where side = 'after') as memory,
        max(disks) filter (where side = 'before') as before_disks,
        max(disks) filter (where side = 'after') as disks,
        max(apps) filter (where side = 'before') as before_apps,
        max(apps) filter (where side = 'after') as apps
    from found
    group by device_serial, kind, before_session, before_at, session, collected_at
),
sided as (
    select *, unnest(array['before os_version', 'after os_version', 'before memory', 'after memory',
        'before disk', 'after disk', 'before application', 'after application']) as side_and_part
    from paired
),
listed as (
    select device_serial, before_session, before_at, session, collected_at,
        split_part(side_and_part, ' ', 2) as part,
        split_part(side_and_part, ' ', 1) as side,
        unnest(case side_and_part
            when 'before os_version' then array[before_os_version]
            when 'after os_version' then array[os_version]
            when 'before memory' then array[cast(before_memory as varchar)]
            when 'after memory' then array[cast(memory as varchar)]
            when 'before disk' then json_get_array(before_disks)
            when 'after disk' then json_get_array(disks)
            when 'before application' then json_get_array(before_apps)
            else json_get_array(apps) end) as item
    from sided
    -- Only parts that both reports contain are compared.
    where case split_part(side_and_part, ' ', 2) when 'os_version' then before_os_version <> os_version
        when 'memory' then before_memory <> memory
        when 'disk' then before_disks <> disks
        else before_apps <> apps end
),
named as (
    select device_serial, before_session, before_at, session, collected_at, part, side,
        case when part in ('disk', 'application') then item ->> 'name' end as name,
        case part when 'application' then item ->> 'version'
            when 'disk' then item ->> 'size'
            else item end as value
    from listed
),
compared as (
    select device_serial, before_session, before_at, session, collected_at, part, name,
        count(*) filter (where side = 'before') as times_before,
        count(*) filter (where side = 'after') as times_after,
        max(value) filter (where side = 'before') as before,
        max(value) filter (where side = 'after') as after
    from named
    group by device_serial, before_session, before_at, session, collected_at, part, name
)
select device_serial, before_session, before_at, session, collected_at, part, name,
    case when times_before = 0 then 'added' when times_after = 0 then 'removed' else 'changed' end as change,
    before, after
from compared
where times_before = 0 or times_after = 0 or before is distinct from after
order by collected_at desc, session, device_serial, part, name
