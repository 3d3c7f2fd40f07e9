-- title: Versions of an application over devices
-- description: How many devices have which version of an application, by the last report of each device. Needs keys of the tier personal, because devices are distinguished by their serial number.
-- column application (text): the application
-- column version (text): its version; (none) if the report has none
-- column devices (devices): devices with this version
-- column devices_percent (percent): of all devices that have the application
-- column last_seen (time): the newest report of a device with it
-- parameter from: reports that were collected at this time or later
-- parameter to: reports that were collected before this time
-- parameter application: applications that match, as in LIKE: % matches any text
-- parameter customer: customers that match, as in LIKE
-- plot: bar x=version y=devices within=application
with reports as (
    -- As the view archive.diagnostics, but directly from the events: duplicates do not change this result.
    select subject as session, time, customer,
        personal ->> 'device_serial' as device_serial,
        operational ->> 'apps' as apps
    from archive.events
    where type = 'diagnostics.collected'
),
latest as (
    select device_serial, max(time) as time, last_value(apps order by time, session) as apps
    from reports
    where device_serial is not null and apps is not null
        and time >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and time < timestamptz '2200-01-01 00:00:00Z' /* to */
        and coalesce(customer, '') like '%' /* customer */
    group by device_serial
),
installed as (
    select device_serial, time, unnest(json_get_array(apps)) as item
    from latest
),
named as (
    select device_serial, time, item ->> 'name' as application, coalesce(item ->> 'version', '(none)') as version
    from installed
),
counted as (
    select application, version, count(distinct device_serial) as devices, max(time) as last_seen
    from named
    where application like '%' /* application */
    group by application, version
)
select
    application,
    version,
    devices,
    round(100.0 * devices / sum(devices) over (partition by application), 1) as devices_percent,
    last_seen
from counted
order by application, devices desc, version
