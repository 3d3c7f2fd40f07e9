-- title: Accounting of disclosures
-- description: Every access to the protected data of a customer, as 45 CFR 164.528 requires: when, to whom, what, and for what purpose. An access without an end on record counts as one to all that it could read; its rows are NULL. The statement is of the tier content, and NULL without its key.
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
    select session as subject, customer, ticket, first_time as since
    from archive.sessions
    union all
    select ticket as subject, customer, ticket, opened_at
    from archive.tickets
),
matching as (
    select *
    from subjects_of
    where customer like '%' /* customer */
),
accesses as (
    select time, "user", role, kind, statement, purpose, rows, all_subjects, subjects, customers, tickets,
        -- A statement reads the archive as it is when it begins, so this is right without a duration as well.
        date_part('epoch', time) + coalesce(duration, 0) as ended
    from archive.access_log
    where coalesce(outcome, '') <> 'refused'
        and (all_subjects or subjects is not null or customers is not null or tickets is not null)
        and time >= timestamptz '1970-01-01 00:00:00Z' /* from */
        and time < timestamptz '2200-01-01 00:00:00Z' /* to */
),
lists as (
    select accesses.*, kinds.named_by,
        case
            -- An access to all subjects also has one row.
            when all_subjects and kinds.named_by = 'subject' then '["*"]'
            when all_subjects then null
            when kinds.named_by = 'subject' then subjects
            when kinds.named_by = 'customer' then customers
            else tickets
        end as list
    from accesses
    cross join (values ('subject'), ('customer'), ('ticket')) as kinds (named_by)
),
items as (
    select time, "user", role, kind, statement, purpose, rows, all_subjects, ended, named_by,
        unnest(json_get_array(list)) as item
    from lists
    where list is not null
),
named as (
    -- The item is a JSON string, with quotes and escapes.
    select *, ('{"is":' || item || '}') ->> 'is' as name
    from items
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
join matching on not accesses.all_subjects and (
        accesses.named_by = 'subject' and accesses.name = matching.subject
        or accesses.named_by = 'customer' and accesses.name = matching.customer
        or accesses.named_by = 'ticket' and accesses.name = matching.ticket
    )
    -- The access did not read what began after it ended. The beginning is a time that a sender claims: it may be a day
    -- ahead of the archive, so a day more counts as read.
    or accesses.all_subjects
        and (matching.since is null or date_part('epoch', matching.since) - 86400 <= accesses.ended)
order by accesses.time, matching.subject
