-- title: Handle time by portal
-- description: How long sessions took from their start to their end, in percentiles by portal: half of them took at most p50, nine of ten at most p90.
-- column portal (text): the entry portal; (none) if it is unknown
-- column sessions (sessions): sessions that started and ended
-- column mean (seconds): the mean
-- column p50 (seconds): the median
-- column p90 (seconds): nine of ten sessions took no longer
-- column p95 (seconds): nineteen of twenty sessions took no longer
-- column longest (seconds): the longest
-- parameter from: sessions that started at this time or later
-- parameter to: sessions that started before this time
-- parameter portal: portals that match, as in LIKE: % matches any text
-- parameter agent: agents that match, as in LIKE
-- plot: bar x=portal y=p50,p90,p95
select
    coalesce(portal, '(none)') as portal,
    count(*) as sessions,
    round(avg(handled), 1) as mean,
    round(percentile_cont(0.5) within group (order by handled), 1) as p50,
    round(percentile_cont(0.9) within group (order by handled), 1) as p90,
    round(percentile_cont(0.95) within group (order by handled), 1) as p95,
    max(handled) as longest
from archive.sessions
where started_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
    and started_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    and coalesce(portal, '') like '%' /* portal */
    and coalesce(agent, '') like '%' /* agent */
    and handled is not null
group by 1
order by p90 desc, 1
