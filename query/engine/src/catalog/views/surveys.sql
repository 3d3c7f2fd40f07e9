-- One row per submitted survey. `rating` is the customer's rating (1 to 5), `resolved` the customer's answer (yes, no).
with submitted as (
    select *
    from archive.deduplicated_events
    where type = 'survey.submitted'
)
select
    subject as session,
    time,
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
