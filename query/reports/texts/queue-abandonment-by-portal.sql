-- title: Abandonment by portal and hour
-- description: Customers who gave up before their session started, by portal and by the hour of the day (UTC) in which they requested it.
-- column portal (text): the entry portal; (none) if it is unknown
-- column hour (hour): hour of the day, 0 to 23, UTC
-- column requests (sessions): requested sessions
-- column abandoned (sessions): of these, sessions that the customer abandoned before the start
-- column abandoned_percent (percent): abandoned sessions of the requested sessions
-- column median_wait (seconds): median wait of the abandoned sessions
-- parameter from: sessions that were requested at this time or later
-- parameter to: sessions that were requested before this time
-- parameter portal: portals that match, as in LIKE: % matches any text
-- plot: heatmap x=hour y=portal value=abandoned_percent
select
    coalesce(portal, '(none)') as portal,
    cast(date_part('hour', cast(requested_at as timestamp)) as int) as hour,
    count(*) as requests,
    count(*) filter (where state = 'abandoned') as abandoned,
    round(100.0 * count(*) filter (where state = 'abandoned') / count(*), 1) as abandoned_percent,
    round(percentile_cont(0.5) within group (order by case when state = 'abandoned' then waited end), 1) as median_wait
from archive.sessions
where requested_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
    and requested_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    and coalesce(portal, '') like '%' /* portal */
group by 1, 2
order by 1, 2
