-- title: Busiest hours
-- description: When sessions are requested, by weekday and hour of the day (UTC), and how long customers wait then.
-- column weekday (text): the day of the week
-- column hour (hour): hour of the day, 0 to 23, UTC
-- column requests (sessions): requested sessions
-- column started (sessions): of these, sessions that started
-- column mean_wait (seconds): mean wait, of requests with and without a session
-- parameter from: sessions that were requested at this time or later
-- parameter to: sessions that were requested before this time
-- parameter portal: portals that match, as in LIKE: % matches any text
-- plot: heatmap x=hour y=weekday value=requests
with hours as (
    select
        -- 0 is Monday.
        cast(date_part('dow', cast(requested_at as timestamp)) + 6 as int) % 7 as day_number,
        cast(date_part('hour', cast(requested_at as timestamp)) as int) as hour,
        count(*) as requests,
        count(started_at) as started,
        round(avg(waited), 1) as mean_wait
    from archive.sessions
    where requested_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and requested_at < timestamptz '2200-01-01 00:00:00Z' /* to */
        and coalesce(portal, '') like '%' /* portal */
    group by 1, 2
)
select
    case day_number when 0 then 'Monday' when 1 then 'Tuesday' when 2 then 'Wednesday' when 3 then 'Thursday'
        when 4 then 'Friday' when 5 then 'Saturday' else 'Sunday' end as weekday,
    hour, requests, started, mean_wait
from hours
order by day_number, hour
