//! Simulates one session, from the ticket that precedes it to the survey that follows.
//!
//! ```text
//! ticket.opened ─▶ code ─▶ requested ─▶ queued ─┬▶ abandoned, declined, failed
//!                                               └▶ consent ─▶ started ─▶ talk ─▶ ended ─▶ survey, ticket.closed
//!                                                                  └▶ broken off: no further event
//! ```

use crate::clock::{HOUR, MINUTE, SECOND, rfc3339};
use crate::customer::Customer;
use crate::data::agents::AGENTS;
use crate::data::companies::Portal;
use crate::data::issues::issue;
use crate::data::machines::{APPS, FOLDERS, PHONES, ROOMS, TEST_CARDS};
use crate::desk::Desk;
use crate::dialogue::{Step, fill};
use crate::event::{Draft, Envelope};
use crate::hash;
use crate::json::Object;
use crate::random::Random;
use crate::recording::{Extent, record};
use crate::run::{Run, TicketOrigin};
use crate::simulation::Simulation;
use crate::ticket::opened;
use crate::timeline::{Outcome, Timeline};

/// Simulates session `index`, whose first event is at `begin`.
pub(crate) fn simulate(run: &Run, desk: &mut Desk, index: u64, begin: i64) -> Timeline {
    let mut random = Random::new(run.seed, index + 1);
    let number = random.below(run.customers);
    let customer = Customer::new(run.seed, number);
    let portal: &Portal = random.pick(customer.company.portals);
    let issue = issue(random.word(portal.issues));
    let session = session_id(run, index);
    let ticket = random.chance(820).then(|| run.ticket(TicketOrigin::Before, index));
    let (language, dialogue) = run.library.dialogue(customer.company.language, issue.key);
    let placeholders = placeholders(&mut random, &customer, ticket.as_deref(), language, index);

    let envelope = Envelope {
        id_prefix: session.clone(),
        session: session.clone(),
        recording: format!("r-{}", &session[2..]),
        ticket: ticket.clone(),
        portal: Some(portal.path.to_owned()),
        customer: Some(customer.account.clone()),
        media_type: "video/webm",
    };
    let mut simulation = Simulation {
        run,
        index,
        random,
        customer,
        issue,
        language,
        agent: 0,
        now: begin,
        drafts: Vec::with_capacity(64),
        session_id: session,
        ticket,
        placeholders,
        lines: 0,
        action_happened: false,
        control_since: None,
        card: None,
        colleague: 0,
    };

    let question = match &dialogue.opening[0] {
        Step::Line { variants, .. } => fill(simulation.random.word(variants), &simulation.placeholders),
        Step::Action(..) => String::new(),
    };
    ticket_before(&mut simulation);
    request(&mut simulation, portal, &question);
    let requested = simulation.now;
    let (agent, start) = desk.assign(&mut simulation.random, requested + 2 * SECOND, language, issue.skill);
    simulation.agent = agent;
    simulation.colleague = desk.colleague(&mut simulation.random, agent, language);
    queue(&mut simulation, desk, start);

    if not_started(&mut simulation, index, requested, start) {
        let outcome = Outcome::NotStarted;
        return finish(run, envelope, simulation.drafts, outcome);
    }
    desk.started += 1;
    start_up(&mut simulation, requested, start);
    let started = simulation.now;
    simulation.talk(&dialogue.opening, &question);
    let wait = (started - requested) / MINUTE;
    let resolved = simulation.random.chance(AGENTS[simulation.agent].resolves);
    if !resolved && simulation.random.chance(180) {
        simulation.transfer("{account}: first level could not solve it, second opinion wanted.");
        simulation.greet();
    }
    simulation.talk(if resolved { &dialogue.resolved } else { &dialogue.unresolved }, "");
    simulation.wind_up(resolved);
    let ended = simulation.now;
    simulation.end(started, resolved);

    // A power failure or a lost network: the session has no further event.
    let broken_off = index % 24 == 13 || simulation.random.chance(15);
    let cut = broken_off.then(|| started + (ended - started) * simulation.random.between(30, 85) / 100);
    if run.record_every > 0 && (desk.started - 1).is_multiple_of(run.record_every) {
        record(&mut simulation, Extent { started, ended, cut });
    }
    desk.occupy(agent, cut.unwrap_or(ended));
    if let Some(cut) = cut {
        simulation.drafts.retain(|draft| draft.time <= cut);
        return finish(run, envelope, simulation.drafts, Outcome::BrokenOff);
    }
    simulation.after(ended, resolved, wait);
    finish(run, envelope, simulation.drafts, Outcome::Ended)
}

/// Sorts the events by time, and moves those after the end of the run to the end.
fn finish(run: &Run, envelope: Envelope, mut drafts: Vec<Draft>, outcome: Outcome) -> Timeline {
    drafts.sort_by_key(|draft| draft.time);
    for draft in &mut drafts {
        draft.time = draft.time.min(run.end);
    }
    Timeline { envelope, drafts, outcome }
}

fn session_id(run: &Run, index: u64) -> String {
    let digest = hash(format!("session {} {index}", run.id).as_bytes());
    format!("s-{}", &digest[..14])
}

/// The values of the placeholders in the texts of this session.
fn placeholders(
    random: &mut Random,
    customer: &Customer,
    ticket: Option<&str>,
    language: &str,
    index: u64,
) -> Vec<(&'static str, String)> {
    let (app, versions) = *random.pick(&APPS);
    let old = random.below(versions.len() as u64 - 1) as usize;
    let no_ticket = match language {
        "de" => "dem Vorgang",
        "fr" => "le dossier",
        "es" => "el expediente",
        _ => "the ticket",
    };
    let cents = random.between(990, 89_900);
    vec![
        ("customer", customer.first.to_owned()),
        ("customer_formal", customer.formal.clone()),
        ("agent", String::new()),
        ("ticket", ticket.unwrap_or(no_ticket).to_owned()),
        ("account", customer.account.clone()),
        ("email", customer.email.clone()),
        ("company", customer.company.slug.to_owned()),
        ("host", customer.device.hostname.clone()),
        ("serial", customer.device.serial.clone()),
        ("service", random.word(customer.device.system.services).to_owned()),
        ("app", app.to_owned()),
        ("version", versions[old].to_owned()),
        ("new_version", versions[versions.len() - 1].to_owned()),
        ("printer", format!("PRN-{}", random.between(101, 499))),
        ("phone", random.word(&PHONES).to_owned()),
        ("room", random.word(&ROOMS).to_owned()),
        ("folder", random.word(&FOLDERS).to_owned()),
        ("count", random.between(3, 18).to_string()),
        ("minutes", random.between(11, 48).to_string()),
        ("invoice", format!("R{}", 20_000 + index % 70_000)),
        ("amount", format!("{}.{:02} EUR", cents / 100, cents % 100)),
        ("card", random.word(&TEST_CARDS).to_owned()),
    ]
}

/// The ticket that precedes the session.
fn ticket_before(simulation: &mut Simulation<'_>) {
    if let Some(ticket) = simulation.ticket.clone() {
        let ticket_opened = opened(&mut simulation.random, simulation.issue, simulation.customer.company.language);
        simulation.drafts.push(Draft::new(simulation.now, "ticket.opened", None, ticket_opened).about(ticket));
        // Most customers call at once, some hours later, a few the next day; but none after the end of the run.
        let lead = match simulation.random.weighted(&[70, 24, 6]) {
            0 => simulation.random.mostly_small(30 * SECOND, 30 * MINUTE),
            1 => simulation.random.between(30 * MINUTE, 4 * HOUR),
            _ => simulation.random.between(21 * HOUR, 25 * HOUR),
        };
        simulation.now += lead.min((simulation.run.end - 50 * MINUTE - simulation.now).max(20 * SECOND));
    }
}

fn request(simulation: &mut Simulation<'_>, portal: &Portal, question: &str) {
    let phone = simulation.random.chance(280);
    if let (true, Some(ticket)) = (phone, simulation.ticket.clone()) {
        // On the phone the agent reads out a code; the events contain only its hash.
        let code =
            hash(format!("code {} {}", simulation.session_id, simulation.random.below(1_000_000_000)).as_bytes());
        let issued = Object::new()
            .text("code_hash", &code)
            .text("ticket", &ticket)
            .text("expires_at", &rfc3339(simulation.now + 20 * MINUTE));
        simulation.drafts.push(Draft::new(simulation.now, "code.issued", None, issued));
        simulation.wait(15 * SECOND, 3 * MINUTE);
        let redeemed = Object::new().text("code_hash", &code);
        simulation.drafts.push(Draft::new(simulation.now, "code.redeemed", None, redeemed));
        simulation.wait(SECOND, 4 * SECOND);
    }
    let customer = &simulation.customer;
    let mut fields = Object::new().text("company", customer.company.name).text("phone", &customer.phone);
    if simulation.random.chance(400) {
        fields = fields.text("external_key", &format!("ext-{}", simulation.random.between(10_000, 99_999)));
    }
    let requested = Object::new()
        .text("portal", portal.path)
        .text("mode", if phone { "phone" } else { "web" })
        .text("question", question)
        .text("customer_name", &customer.name)
        .text("customer_email", &customer.email)
        .text("account", &customer.account)
        .object("fields", fields)
        .text("skill", simulation.issue.skill);
    simulation.drafts.push(Draft::new(simulation.now, "session.requested", None, requested));
}

/// From the request to `start`: positions in the queue, and the length of the queue.
fn queue(simulation: &mut Simulation<'_>, desk: &Desk, start: i64) {
    let name = format!("{}.{}", simulation.issue.skill, simulation.language);
    let waiting = start - simulation.now;
    let mut position = 1 + waiting / (3 * MINUTE);
    let steps = position;
    let entered = simulation.now;
    simulation.wait(SECOND / 5, 2 * SECOND);
    for step in 0..steps {
        let time = (entered + waiting * step / steps).max(simulation.now);
        let queued =
            Object::new().text("queue", &name).number("position", position).text("skill", simulation.issue.skill);
        simulation.drafts.push(Draft::new(time, "session.queued", None, queued));
        let measured = Object::new()
            .number("waiting", position)
            .seconds("oldest_waited", (time - entered).max(0))
            .number("agents_available", desk.available(time, simulation.issue.skill));
        simulation
            .drafts
            .push(Draft::new(time + 40, "queue.measured", None, measured).about(name.clone()).unattributed());
        position -= 1;
    }
}

/// Adds the event of a session that does not start: abandoned, declined or failed. Returns whether it does not start.
fn not_started(simulation: &mut Simulation<'_>, index: u64, requested: i64, start: i64) -> bool {
    let impatient = (start - requested) > 6 * MINUTE && simulation.random.chance(350);
    let (kind, stage, reason, time) = if index % 19 == 6 || impatient || simulation.random.chance(25) {
        let time = requested + (start - requested) * simulation.random.between(40, 95) / 100;
        (
            "session.abandoned",
            "queue",
            simulation.random.word(&["customer_left", "window_closed", "called_by_phone"]),
            time,
        )
    } else if index % 41 == 17 || simulation.random.chance(6) {
        ("session.declined", "queue", simulation.random.word(&["outside_hours", "not_entitled", "duplicate"]), start)
    } else if index % 47 == 29 || simulation.random.chance(6) {
        let reason = simulation.random.word(&["connector_blocked", "consent_refused", "network_unreachable"]);
        ("session.failed", "connecting", reason, start + 20 * SECOND)
    } else {
        return false;
    };
    // Not before the last event of the session so far.
    let time = simulation.drafts.iter().map(|draft| draft.time).max().unwrap_or(time).max(time);
    simulation.drafts.retain(|draft| draft.time <= time);
    let mut fields =
        Object::new().text("reason", reason).text("stage", stage).seconds("waited", (time - requested).max(0));
    if kind == "session.abandoned" {
        fields = fields.flag("posted", simulation.random.chance(300));
    }
    simulation.drafts.push(Draft::new(time, kind, None, fields));
    true
}

/// Consents, the start, and the participants.
fn start_up(simulation: &mut Simulation<'_>, requested: i64, start: i64) {
    simulation.now = simulation.drafts.iter().map(|draft| draft.time).max().unwrap_or(start).max(start);
    let agent = &AGENTS[simulation.agent];
    for what in ["recording", "remote_view"] {
        let granted = what == "recording" || simulation.random.chance(970);
        simulation
            .push("consent.recorded", Object::new().text("what", what).flag("granted", granted).text("by", "customer"));
        simulation.wait(300, 2_500);
    }
    let customer = &simulation.customer;
    let started = Object::new()
        .text("agent_id", agent.id)
        .text("customer_id", &customer.id)
        .text("agent_name", &format!("{} {}", agent.first, agent.last))
        .text("customer_name", &customer.name)
        .text("customer_ip", &customer.ip)
        .text("platform", &format!("{} {}", customer.device.system.os, customer.device.version))
        .seconds("waited", simulation.now - requested)
        .text("device_serial", &customer.device.serial);
    let customer_joined =
        Object::new().text("participant_id", &customer.id).text("role", "customer").text("name", &customer.name);
    simulation.push("session.started", started);
    simulation.presence(simulation.agent, "in_session", 1);
    simulation.wait(100, 900);
    simulation.push("session.joined", customer_joined);
    simulation.wait(50, 400);
    simulation.joined(simulation.agent);
    simulation.assign(simulation.agent);
}
