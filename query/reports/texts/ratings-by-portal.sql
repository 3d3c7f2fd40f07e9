-- title: Ratings by portal over time
-- description: How customers rated the sessions of each portal, month by month. A session without an answer counts as a session, not as a rating.
-- column period (date): first day of the month, or of the chosen period
-- column portal (text): the entry portal; (none) if it is unknown
-- column sessions (sessions): sessions that started in the period
-- column rated (sessions): of these, sessions that the customer rated
-- column rated_percent (percent): rated sessions of all sessions
-- column average_rating (stars): mean of the ratings, 1 to 5; NULL if there is none
-- column poor (sessions): sessions rated 1 or 2
-- column excellent (sessions): sessions rated 5
-- parameter from: sessions that started at this time or later
-- parameter to: sessions that started before this time
-- parameter period [day, week, month, quarter, year]: what one row covers
-- parameter portal: portals that match, as in LIKE: % matches any text
-- parameter agent: agents that match, as in LIKE
-- plot: line x=period y=average_rating series=portal
select
    cast(date_trunc('month' /* period */, started_at) as date) as period,
    coalesce(portal, '(none)') as portal,
    count(*) as sessions,
    count(rating) as rated,
    round(100.0 * count(rating) / count(*), 1) as rated_percent,
    round(avg(rating), 2) as average_rating,
    count(*) filter (where rating <= 2) as poor,
    count(*) filter (where rating = 5) as excellent
from archive.sessions
where started_at >= timestamptz '1970-01-01 00:00:00Z' /* from */
    and started_at < timestamptz '2200-01-01 00:00:00Z' /* to */
    and coalesce(portal, '') like '%' /* portal */
    and coalesce(agent, '') like '%' /* agent */
group by 1, 2
order by 1, 2
