-- title: Accounting of disclosures
-- description: Every look at the protected data of a customer, as 45 CFR 164.528 asks for it: when, to whom, what, and for what purpose. What was asked stands in the tier content and is NULL without its key.
-- column time (time): when
-- column recipient (text): the user who looked
-- column role (text): the user's role
-- column customer (text): whose data it was
-- column subject (text): the session or the ticket that the data is of
-- column what (text): the kind of look: queried, viewed or exported
-- column statement (text): what was asked for
-- column purpose (text): what for, in the words of who looked
-- column rows (number): rows that were given away, of this subject and others
-- parameter from: looks at this time or later; an accounting covers six years
-- parameter to: looks before this time
-- parameter customer: the customer's account
-- plot: none
with subjects_of as (
    select session as subject, customer, first_time as since
    from archive.sessions
    union all
    select ticket, customer, opened_at
    from archive.tickets
),
theirs as (
    select *
    from subjects_of
    where customer like '%' /* customer */
),
accesses as (
    select time, "user", role, kind, statement, purpose, rows, all_subjects,
        date_part('epoch', time) + coalesce(duration, 0) as ended,
        -- One row also for a look at everybody.
        unnest(json_get_array(case when all_subjects then '["*"]' else subjects end)) as item
    from archive.access_log
    where coalesce(outcome, '') <> 'refused'
        and (all_subjects or subjects is not null)
        and time >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and time < timestamptz '2200-01-01 00:00:00Z' /* to */
),
named as (
    -- The item is a text of JSON, with quotes and escapes.
    select *, ('{"is":' || item || '}') ->> 'is' as subject
    from accesses
)
select
    accesses.time,
    accesses."user" as recipient,
    accesses.role,
    theirs.customer,
    theirs.subject,
    accesses.kind as what,
    accesses.statement,
    accesses.purpose,
    accesses.rows
from named as accesses
join theirs on not accesses.all_subjects and accesses.subject = theirs.subject
    -- Nobody saw what began after the look.
    or accesses.all_subjects and (theirs.since is null or date_part('epoch', theirs.since) <= accesses.ended)
order by accesses.time, theirs.subject
