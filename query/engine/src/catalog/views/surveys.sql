-- One row per submitted survey. `rating` is what the customer gave (1 to 5), `resolved` what the customer answered (yes, no).
with once as (
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
from once
