-- One row per submitted survey. `rating` is the customer's rating (1 to 5), `resolved` the customer's answer (yes, no).
-- `time` is NULL if the event claims an implausible one.
with submitted as (
    select *
    from archive.deduplicated_events
    where type = 'survey.submitted'
)
select
    subject as session,
    case when not time_implausible then time end as time,
    rating,
    resolved,
    data ->> 'feedback' as feedback,
    data ->> 'answers' as answers,
    personal ->> 'customer_name' as customer_name,
    agent,
    portal,
    customer,
    ticket
from submitted
