-- title: Accounting of disclosures
-- description: Every access to the protected data of a customer, as 45 CFR 164.528 requires: when, to whom, what, and for what purpose. The statement is of the tier content, and NULL without its key.
-- column time (time): when the access began
-- column recipient (text): the user
-- column role (text): the user's role
-- column customer (text): the customer whose data was read
-- column subject (text): the session or the ticket of the data
-- column what (text): the kind of access: queried, viewed or exported
-- column statement (text): the statement, or what was read
-- column purpose (text): the purpose, in the user's words
-- column rows (number): rows that were returned, of this subject and others
-- parameter from: accesses at this time or later; an accounting covers six years
-- parameter to: accesses before this time
-- parameter customer: the customer's account
-- plot: none
with subjects_of as (
    select session as subject, customer, first_time as since
    from archive.sessions
    union all
    select ticket, customer, opened_at
    from archive.tickets
),
matching as (
    select *
    from subjects_of
    where customer like '%' /* customer */
),
accesses as (
    select time, "user", role, kind, statement, purpose, rows, all_subjects,
        date_part('epoch', time) + coalesce(duration, 0) as ended,
        -- An access to all subjects also has one row.
        unnest(json_get_array(case when all_subjects then '["*"]' else subjects end)) as item
    from archive.access_log
    where coalesce(outcome, '') <> 'refused'
        and (all_subjects or subjects is not null)
        and time >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and time < timestamptz '2200-01-01 00:00:00Z' /* to */
),
named as (
    -- The item is a JSON string, with quotes and escapes.
    select *, ('{"is":' || item || '}') ->> 'is' as subject
    from accesses
)
select
    accesses.time,
    accesses."user" as recipient,
    accesses.role,
    matching.customer,
    matching.subject,
    accesses.kind as what,
    accesses.statement,
    accesses.purpose,
    accesses.rows
from named as accesses
join matching on not accesses.all_subjects and accesses.subject = matching.subject
    -- The access did not read what began after it ended.
    or accesses.all_subjects and (matching.since is null or date_part('epoch', matching.since) <= accesses.ended)
order by accesses.time, matching.subject
