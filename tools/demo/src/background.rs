//! Events besides sessions: the presence of agents, and tickets without a session.

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::customer::Customer;
use crate::data::agents::AGENTS;
use crate::data::companies::{COMPANIES, Portal};
use crate::data::issues::issue;
use crate::event::{Draft, Envelope};
use crate::json::Object;
use crate::random::Random;
use crate::run::{Run, TicketOrigin};
use crate::ticket::opened;
use crate::timeline::{Outcome, Timeline};

/// Random streams that no session uses.
const TICKETS: u64 = 1 << 41;
const DAYS: u64 = 1 << 42;

/// For each group of this many sessions there is one ticket without a session.
pub(crate) const SESSIONS_A_TICKET: u64 = 8;

/// A ticket without a session: answered by mail, closed unanswered, or still open.
pub(crate) fn ticket_without_session(run: &Run, index: u64, begin: i64) -> Timeline {
    let mut random = Random::new(run.seed, TICKETS + index);
    let number = random.below(run.customers);
    let customer = Customer::new(run.seed, number);
    let portal: &Portal = random.pick(customer.company.portals);
    let issue = issue(random.word(portal.issues));
    let ticket = run.ticket(TicketOrigin::Alone, index);
    let mut drafts = Vec::new();
    let mut now = begin + random.between(SECOND, 10 * MINUTE);
    let fields = opened(&mut random, issue, customer.company.language);
    drafts.push(Draft::new(now, "ticket.opened", None, fields).about(ticket.clone()));
    for (status, permille) in [("answered", 650), ("closed", 800)] {
        now += random.between(20 * MINUTE, 30 * HOUR);
        if !random.chance(permille) {
            continue;
        }
        let agent = random.below(AGENTS.len() as u64) as usize;
        let kind = if status == "closed" { "ticket.closed" } else { "ticket.changed" };
        let fields = Object::new().text("issue_type", issue.key).text("status", status).text("owner", AGENTS[agent].id);
        drafts.push(Draft::new(now, kind, Some(agent), fields).about(ticket.clone()));
    }
    // The run ends before the remaining events.
    drafts.retain(|draft| draft.time <= run.end);
    let envelope = Envelope {
        id_prefix: format!("t-{}-{index}", run.id),
        portal: Some(portal.path.to_owned()),
        customer: Some(customer.account.clone()),
        ..Envelope::default()
    };
    Timeline { envelope, drafts, outcome: Outcome::TicketOnly }
}

/// One working day of the agents; `midnight` is its beginning, UTC.
pub(crate) fn working_day(run: &Run, day: u64, midnight: i64) -> Timeline {
    let mut random = Random::new(run.seed, DAYS + day);
    let mut drafts = Vec::new();
    for (index, agent) in AGENTS.iter().enumerate() {
        // Holidays, illness, part time.
        if random.chance(150) {
            continue;
        }
        let come = midnight + 6 * HOUR + random.between(0, 150) * MINUTE;
        let lunch = come + random.between(200, 280) * MINUTE;
        let back = lunch + random.between(25, 60) * MINUTE;
        let leave = come + random.between(490, 560) * MINUTE;
        for (time, state) in [(come, "available"), (lunch, "away"), (back, "available"), (leave, "offline")] {
            let portals = COMPANIES
                .iter()
                .filter(|company| agent.languages.contains(&company.language))
                .flat_map(|company| company.portals)
                .map(|portal| portal.path);
            let mut fields = Object::new().text("state", state).number("sessions", 0);
            if time == come {
                fields = fields.texts("portals", portals).text("extension", &format!("{}", 4100 + index));
            }
            let time = time + random.between(0, 59_999);
            let draft = Draft::new(time, "agent.presence", Some(index), fields);
            drafts.push(draft.about(agent.id.to_owned()).unattributed());
        }
    }
    drafts.retain(|draft| draft.time <= run.end && draft.time < midnight + DAY);
    drafts.sort_by_key(|draft| draft.time);
    let envelope = Envelope { id_prefix: format!("d-{}-{day}", run.id), ..Envelope::default() };
    Timeline { envelope, drafts, outcome: Outcome::Background }
}
