//! What goes on at the desk besides sessions: agents who come and go, tickets that never get a session.

use crate::clock::{DAY, HOUR, MINUTE, SECOND};
use crate::customer::Customer;
use crate::data::agents::AGENTS;
use crate::data::companies::{COMPANIES, Portal};
use crate::data::issues::issue;
use crate::desk::{Origin, Setting};
use crate::dice::Dice;
use crate::event::{Draft, Envelope};
use crate::json::Object;
use crate::session::{Outcome, Story, opened};

/// Streams of chance that no session has.
const TICKETS: u64 = 1 << 41;
const DAYS: u64 = 1 << 42;

/// Of this many sessions, one is accompanied by a ticket that never gets one.
pub(crate) const SESSIONS_A_TICKET: u64 = 8;

/// A ticket that is answered by mail, closed unanswered, or still open.
pub(crate) fn ticket_alone(setting: &Setting, index: u64, begin: i64) -> Story {
    let mut dice = Dice::new(setting.seed, TICKETS + index);
    let number = dice.below(setting.customers);
    let customer = Customer::new(setting.seed, number);
    let portal: &Portal = dice.pick(customer.company.portals);
    let issue = issue(dice.word(portal.issues));
    let ticket = setting.ticket(Origin::Alone, index);
    let mut drafts = Vec::new();
    let mut now = begin + dice.between(SECOND, 10 * MINUTE);
    let fields = opened(&mut dice, issue, customer.company.language);
    drafts.push(Draft::new(now, "ticket.opened", None, fields).about(ticket.clone()));
    for (status, permille) in [("answered", 650), ("closed", 800)] {
        now += dice.between(20 * MINUTE, 30 * HOUR);
        if !dice.chance(permille) {
            continue;
        }
        let agent = dice.below(AGENTS.len() as u64) as usize;
        let kind = if status == "closed" { "ticket.closed" } else { "ticket.changed" };
        let fields = Object::new().text("issue_type", issue.key).text("status", status).text("owner", AGENTS[agent].id);
        drafts.push(Draft::new(now, kind, Some(agent), fields).about(ticket.clone()));
    }
    // The run ends before the rest happens.
    drafts.retain(|draft| draft.time <= setting.end);
    let envelope = Envelope {
        story: format!("t-{}-{index}", setting.run),
        portal: Some(portal.path.to_owned()),
        customer: Some(customer.account.clone()),
        ..Envelope::default()
    };
    Story { envelope, drafts, outcome: Outcome::TicketOnly }
}

/// One working day of the agents; `midnight` is its beginning, UTC.
pub(crate) fn working_day(setting: &Setting, day: u64, midnight: i64) -> Story {
    let mut dice = Dice::new(setting.seed, DAYS + day);
    let mut drafts = Vec::new();
    for (index, agent) in AGENTS.iter().enumerate() {
        // Holidays, illness, part time.
        if dice.chance(150) {
            continue;
        }
        let come = midnight + 6 * HOUR + dice.between(0, 150) * MINUTE;
        let lunch = come + dice.between(200, 280) * MINUTE;
        let back = lunch + dice.between(25, 60) * MINUTE;
        let leave = come + dice.between(490, 560) * MINUTE;
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
            let time = time + dice.between(0, 59_999);
            let draft = Draft::new(time, "agent.presence", Some(index), fields);
            drafts.push(draft.about(agent.id.to_owned()).unattributed());
        }
    }
    drafts.retain(|draft| draft.time <= setting.end && draft.time < midnight + DAY);
    drafts.sort_by_key(|draft| draft.time);
    let envelope = Envelope { story: format!("d-{}-{day}", setting.run), ..Envelope::default() };
    Story { envelope, drafts, outcome: Outcome::Background }
}
