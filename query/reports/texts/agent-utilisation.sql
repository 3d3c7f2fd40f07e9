-- title: Agent utilisation
-- description: The part of their presence that agents spent in sessions, by agent and day (UTC), from the presence that the support tool reports. A state lasts until the next one is reported, at most longest_hours, and counts for the day on which it began.
-- column day (date): the day, UTC
-- column agent (text): the agent
-- column present_hours (hours): available or in a session
-- column in_session_hours (hours): in a session
-- column away_hours (hours): away
-- column utilisation_percent (percent): in_session_hours of present_hours
-- parameter from: presence that was reported at this time or later
-- parameter to: presence that was reported before this time
-- parameter agent: agents that match, as in LIKE: % matches any text
-- parameter longest_hours: the longest time that a state lasts if no other is reported, in hours
-- plot: heatmap x=day y=agent value=utilisation_percent
with presence as (
    -- The state alone goes through the window, and not the JSON text that has it.
    select subject as agent, operational ->> 'state' as state, time
    from archive.events
    where type = 'agent.presence'
        and time >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and time < timestamptz '2200-01-01 00:00:00Z' /* to */
        and subject like '%' /* agent */
),
reported as (
    select agent, state, time,
        date_part('epoch', lead(time) over (partition by agent order by time)) - date_part('epoch', time) as seconds
    from presence
),
spent as (
    select agent, state, cast(time as date) as day, least(seconds / 3600, 12.0 /* longest_hours */) as hours
    from reported
    where seconds is not null
),
summed as (
    select day, agent,
        cast(coalesce(sum(hours) filter (where state in ('available', 'in_session')), 0) as numeric) as present_hours,
        cast(coalesce(sum(hours) filter (where state = 'in_session'), 0) as numeric) as in_session_hours,
        cast(coalesce(sum(hours) filter (where state = 'away'), 0) as numeric) as away_hours
    from spent
    where state <> 'offline'
    group by 1, 2
)
select
    day,
    agent,
    round(present_hours, 2) as present_hours,
    round(in_session_hours, 2) as in_session_hours,
    round(away_hours, 2) as away_hours,
    round(100 * in_session_hours / nullif(present_hours, 0), 1) as utilisation_percent
from summed
order by 1, 2
