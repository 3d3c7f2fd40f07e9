//! The end of a session and the events after it: outcome, notes, survey, ticket.

use crate::clock::{HOUR, MINUTE, SECOND};
use crate::data::agents::AGENTS;
use crate::dialogue::fill;
use crate::event::Draft;
use crate::json::Object;
use crate::run::TicketOrigin;
use crate::simulation::Simulation;
use crate::ticket::opened;

impl Simulation<'_> {
    /// `session.ended`, and the participants leave. `resolved` is the fact; the agent may record another resolution.
    pub(crate) fn end(&mut self, started: i64, resolved: bool) {
        let agent = &AGENTS[self.agent];
        if self.ticket.is_none() && (!resolved || self.random.chance(300)) {
            self.open_ticket_afterwards();
        }
        if self.random.chance(250) {
            let note = self.notes(resolved);
            self.push("session.noted", Object::new().text("author", agent.id).text("note", &note));
            self.wait(SECOND, 10 * SECOND);
        }
        let ended_by = ["agent", "customer", "system"][self.random.weighted(&[68, 29, 3])];
        let resolution = if self.random.chance(30) {
            "unknown"
        } else if resolved || self.random.chance(agent.optimist) {
            "resolved"
        } else {
            "unresolved"
        };
        let mut ended = Object::new().text("ended_by", ended_by).text("resolution", resolution);
        if !self.random.chance(agent.forgets_notes) {
            ended = ended.text("notes", &self.notes(resolved));
        }
        let ended = ended.seconds("duration", self.now - started);
        let customer_left = Object::new()
            .text("participant_id", &self.customer.id)
            .text("role", "customer")
            .text("name", &self.customer.name);
        self.push("session.left", customer_left);
        self.push("session.ended", ended);
        self.presence(self.agent, "available", 0);
    }

    fn notes(&mut self, resolved: bool) -> String {
        let purpose = if resolved { "notes resolved" } else { "notes unresolved" };
        let phrase = self.run.library.phrase(&mut self.random, self.language, purpose);
        format!("{}: {}", self.issue.key, fill(phrase, &self.placeholders))
    }

    /// Opens a ticket for a session that started without one.
    fn open_ticket_afterwards(&mut self) {
        let ticket = self.run.ticket(TicketOrigin::During, self.index);
        self.wait(5 * SECOND, 30 * SECOND);
        let fields = opened(&mut self.random, self.issue, self.customer.company.language);
        self.drafts.push(Draft::new(self.now, "ticket.opened", Some(self.agent), fields).about(ticket.clone()));
        self.wait(SECOND, 4 * SECOND);
        self.push("session.linked", Object::new().text("ticket", &ticket).text("note", "opened during the session"));
        self.wait(SECOND, 4 * SECOND);
    }

    /// The survey and the further events of the ticket. `waited` is in minutes.
    pub(crate) fn after(&mut self, ended: i64, resolved: bool, waited: i64) {
        if self.random.chance(470) {
            self.now = ended + self.random.mostly_small(20 * SECOND, 40 * MINUTE);
            if self.now < self.run.end {
                self.survey(resolved, waited);
            }
        }
        let Some(ticket) = self.ticket.clone() else { return };
        self.now = ended + self.random.between(5 * SECOND, 4 * MINUTE);
        if self.now >= self.run.end {
            return;
        }
        let status = if resolved { "solved" } else { "pending" };
        let owner = if resolved { AGENTS[self.agent].id } else { "second-level" };
        let was = Object::new().text("from", "open").text("to", status);
        let changed = Object::new()
            .text("issue_type", self.issue.key)
            .text("status", status)
            .text("owner", owner)
            .object("changes", Object::new().object("status", was));
        self.drafts.push(Draft::new(self.now, "ticket.changed", Some(self.agent), changed).about(ticket.clone()));
        let closed = if resolved {
            self.random.mostly_small(2 * MINUTE, 20 * HOUR)
        } else {
            self.random.between(20 * HOUR, 70 * HOUR)
        };
        let time = self.now + closed;
        if time < self.run.end && (resolved || self.random.chance(700)) {
            let fields = Object::new().text("issue_type", self.issue.key).text("status", "closed").text("owner", owner);
            self.drafts.push(Draft::new(time, "ticket.closed", Some(self.agent), fields).about(ticket));
        }
    }

    fn survey(&mut self, resolved: bool, waited: i64) {
        // Tenths of a star.
        let score =
            if resolved { 45 } else { 23 } + AGENTS[self.agent].charm - waited.min(15) + self.random.between(-11, 9);
        let rating = ((score + 5) / 10).clamp(1, 5);
        let mut fields = Object::new().number("rating", rating);
        if self.random.chance(880) {
            let says = if self.random.chance(40) { !resolved } else { resolved };
            fields = fields.text("resolved", if says { "yes" } else { "no" });
        }
        if self.random.chance(if rating <= 2 { 750 } else { 350 }) {
            let purpose = match rating {
                1 | 2 => "feedback bad",
                3 => "feedback middle",
                _ => "feedback good",
            };
            let phrase = self.run.library.phrase(&mut self.random, self.language, purpose);
            fields = fields.text("feedback", &fill(phrase, &self.placeholders));
        }
        let mut near = |rating: i64| (rating + self.random.between(-1, 1)).clamp(1, 5);
        let answers = Object::new()
            .number("friendliness", near(rating + 1))
            .number("speed", near(rating))
            .number("recommend", near(rating) * 2);
        fields = fields.object("answers", answers);
        if self.random.chance(600) {
            fields = fields.text("customer_name", &self.customer.name);
        }
        self.push("survey.submitted", fields);
    }
}
