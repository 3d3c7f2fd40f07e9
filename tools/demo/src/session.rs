//! One session, from the ticket that precedes it to the survey that follows.
//!
//! ```text
//! ticket.opened ─▶ code ─▶ requested ─▶ queued ─┬▶ abandoned, declined, failed
//!                                               └▶ consent ─▶ started ─▶ talk ─▶ ended ─▶ survey, ticket.closed
//!                                                                  └▶ broken off: nothing more is heard of it
//! ```

use crate::clock::{HOUR, MINUTE, SECOND, rfc3339};
use crate::customer::Customer;
use crate::data::agents::AGENTS;
use crate::data::companies::Portal;
use crate::data::issues::{Issue, PRIORITIES, issue};
use crate::data::machines::{APPS, FOLDERS, PHONES, ROOMS, TEST_CARDS};
use crate::desk::{Desk, Origin, Setting};
use crate::dialogue::{Step, fill};
use crate::dice::Dice;
use crate::event::{Draft, Envelope};
use crate::hash;
use crate::json::Object;
use crate::recording;

/// A story whose events are known and in order.
pub(crate) struct Story {
    pub(crate) envelope: Envelope,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) outcome: Outcome,
}

/// What a caller may want to know of a story besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is no session.
    Background,
    /// A ticket that never got a session.
    TicketOnly,
    /// It never started.
    NotStarted,
    /// It has its `session.ended`.
    Ended,
    /// It started, and nobody heard of its end.
    BrokenOff,
}

/// A session while it is being told.
pub(crate) struct Scene<'s> {
    pub(crate) setting: &'s Setting,
    pub(crate) index: u64,
    pub(crate) dice: Dice,
    pub(crate) customer: Customer,
    pub(crate) issue: &'static Issue,
    pub(crate) language: &'static str,
    /// The agent at work.
    pub(crate) agent: usize,
    /// Milliseconds; only ever moved forward.
    pub(crate) now: i64,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) session: String,
    pub(crate) ticket: Option<String>,
    /// What `{name}` in a text stands for.
    pub(crate) words: Vec<(&'static str, String)>,
    pub(crate) lines: i64,
    /// Whether the last stage direction came about.
    pub(crate) happened: bool,
    pub(crate) control_since: Option<i64>,
    /// From and until when a card number was in sight.
    pub(crate) card: Option<(i64, i64)>,
    pub(crate) colleague: usize,
}

impl Scene<'_> {
    pub(crate) fn push(&mut self, kind: &'static str, fields: Object) {
        self.drafts.push(Draft::new(self.now, kind, Some(self.agent), fields));
    }

    /// Lets time pass: between `low` and `high` milliseconds.
    pub(crate) fn wait(&mut self, low: i64, high: i64) {
        self.now += self.dice.between(low, high);
    }
}

/// Tells session `index`, whose first event is at `begin`.
pub(crate) fn tell(setting: &Setting, desk: &mut Desk, index: u64, begin: i64) -> Story {
    let mut dice = Dice::new(setting.seed, index + 1);
    let number = dice.below(setting.customers);
    let customer = Customer::new(setting.seed, number);
    let portal: &Portal = dice.pick(customer.company.portals);
    let issue = issue(dice.word(portal.issues));
    let session = session_id(setting, index);
    let ticket = dice.chance(820).then(|| setting.ticket(Origin::Before, index));
    let (language, dialogue) = setting.library.dialogue(customer.company.language, issue.key);
    let words = words(&mut dice, &customer, ticket.as_deref(), language, index);

    let envelope = Envelope {
        story: session.clone(),
        session: session.clone(),
        recording: format!("r-{}", &session[2..]),
        ticket: ticket.clone(),
        portal: Some(portal.path.to_owned()),
        customer: Some(customer.account.clone()),
        media_type: "video/webm",
    };
    let mut scene = Scene {
        setting,
        index,
        dice,
        customer,
        issue,
        language,
        agent: 0,
        now: begin,
        drafts: Vec::with_capacity(64),
        session,
        ticket,
        words,
        lines: 0,
        happened: false,
        control_since: None,
        card: None,
        colleague: 0,
    };

    let question = match &dialogue.opening[0] {
        Step::Line { variants, .. } => fill(scene.dice.word(variants), &scene.words),
        Step::Stage(..) => String::new(),
    };
    before(&mut scene);
    request(&mut scene, portal, &question);
    let requested = scene.now;
    let (agent, start) = desk.assign(&mut scene.dice, requested + 2 * SECOND, language, issue.skill);
    scene.agent = agent;
    scene.colleague = desk.colleague(&mut scene.dice, agent, language);
    queue(&mut scene, desk, start);

    if not_started(&mut scene, index, requested, start) {
        let outcome = Outcome::NotStarted;
        return finish(setting, envelope, scene.drafts, outcome);
    }
    desk.started += 1;
    start_up(&mut scene, requested, start);
    let started = scene.now;
    scene.talk(&dialogue.opening, &question);
    let wait = (started - requested) / MINUTE;
    let resolved = scene.dice.chance(AGENTS[scene.agent].resolves);
    if !resolved && scene.dice.chance(180) {
        scene.transfer("{account}: first level could not solve it, second opinion wanted.");
        scene.greet();
    }
    scene.talk(if resolved { &dialogue.resolved } else { &dialogue.unresolved }, "");
    scene.wind_up(resolved);
    let ended = scene.now;
    scene.end(started, resolved);

    // The power, the battery or the lift door: from one moment on there is nothing.
    let broken_off = index % 24 == 13 || scene.dice.chance(15);
    let cut = broken_off.then(|| started + (ended - started) * scene.dice.between(30, 85) / 100);
    if setting.record_every > 0 && (desk.started - 1).is_multiple_of(setting.record_every) {
        recording::record(&mut scene, started, ended, cut);
    }
    desk.occupy(agent, cut.unwrap_or(ended));
    if let Some(cut) = cut {
        scene.drafts.retain(|draft| draft.time <= cut);
        return finish(setting, envelope, scene.drafts, Outcome::BrokenOff);
    }
    scene.after(ended, resolved, wait);
    finish(setting, envelope, scene.drafts, Outcome::Ended)
}

/// Puts the events in order; what the end of the run cuts off has not happened yet.
fn finish(setting: &Setting, envelope: Envelope, mut drafts: Vec<Draft>, outcome: Outcome) -> Story {
    drafts.sort_by_key(|draft| draft.time);
    for draft in &mut drafts {
        draft.time = draft.time.min(setting.end);
    }
    Story { envelope, drafts, outcome }
}

fn session_id(setting: &Setting, index: u64) -> String {
    let digest = hash(format!("session {} {index}", setting.run).as_bytes());
    format!("s-{}", &digest[..14])
}

/// The words that texts of this session may name.
fn words(
    dice: &mut Dice,
    customer: &Customer,
    ticket: Option<&str>,
    language: &str,
    index: u64,
) -> Vec<(&'static str, String)> {
    let (app, versions) = *dice.pick(&APPS);
    let old = dice.below(versions.len() as u64 - 1) as usize;
    let no_ticket = match language {
        "de" => "dem Vorgang",
        "fr" => "le dossier",
        "es" => "el expediente",
        _ => "the ticket",
    };
    let cents = dice.between(990, 89_900);
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
        ("service", dice.word(customer.device.system.services).to_owned()),
        ("app", app.to_owned()),
        ("version", versions[old].to_owned()),
        ("new_version", versions[versions.len() - 1].to_owned()),
        ("printer", format!("PRN-{}", dice.between(101, 499))),
        ("phone", dice.word(&PHONES).to_owned()),
        ("room", dice.word(&ROOMS).to_owned()),
        ("folder", dice.word(&FOLDERS).to_owned()),
        ("count", dice.between(3, 18).to_string()),
        ("minutes", dice.between(11, 48).to_string()),
        ("invoice", format!("R{}", 20_000 + index % 70_000)),
        ("amount", format!("{}.{:02} EUR", cents / 100, cents % 100)),
        ("card", dice.word(&TEST_CARDS).to_owned()),
    ]
}

/// The ticket and the code that lead to the session.
fn before(scene: &mut Scene<'_>) {
    if let Some(ticket) = scene.ticket.clone() {
        let ticket_opened = opened(&mut scene.dice, scene.issue, scene.customer.company.language);
        scene.drafts.push(Draft::new(scene.now, "ticket.opened", None, ticket_opened).about(ticket));
        // Most call at once, some after lunch, a few the next day; but nobody calls after the end of the run.
        let lead = match scene.dice.weighted(&[70, 24, 6]) {
            0 => scene.dice.mostly_small(30 * SECOND, 30 * MINUTE),
            1 => scene.dice.between(30 * MINUTE, 4 * HOUR),
            _ => scene.dice.between(21 * HOUR, 25 * HOUR),
        };
        scene.now += lead.min((scene.setting.end - 50 * MINUTE - scene.now).max(20 * SECOND));
    }
}

/// The data of a `ticket.opened`.
pub(crate) fn opened(dice: &mut Dice, issue: &Issue, language: &str) -> Object {
    let titles =
        issue.titles.iter().find(|(known, _)| *known == language).map_or(issue.titles[0].1, |(_, titles)| titles);
    Object::new()
        .text("issue_type", issue.key)
        .text("priority", PRIORITIES[dice.weighted(&issue.priorities)])
        .text("status", "open")
        .text("owner", issue.skill)
        .text("title", dice.word(titles))
}

fn request(scene: &mut Scene<'_>, portal: &Portal, question: &str) {
    let phone = scene.dice.chance(280);
    if let (true, Some(ticket)) = (phone, scene.ticket.clone()) {
        // On the phone the agent reads out a code; only its hash is kept.
        let code = hash(format!("code {} {}", scene.session, scene.dice.below(1_000_000_000)).as_bytes());
        let issued = Object::new()
            .text("code_hash", &code)
            .text("ticket", &ticket)
            .text("expires_at", &rfc3339(scene.now + 20 * MINUTE));
        scene.drafts.push(Draft::new(scene.now, "code.issued", None, issued));
        scene.wait(15 * SECOND, 3 * MINUTE);
        let redeemed = Object::new().text("code_hash", &code);
        scene.drafts.push(Draft::new(scene.now, "code.redeemed", None, redeemed));
        scene.wait(SECOND, 4 * SECOND);
    }
    let customer = &scene.customer;
    let mut fields = Object::new().text("company", customer.company.name).text("phone", &customer.phone);
    if scene.dice.chance(400) {
        fields = fields.text("external_key", &format!("ext-{}", scene.dice.between(10_000, 99_999)));
    }
    let requested = Object::new()
        .text("portal", portal.path)
        .text("mode", if phone { "phone" } else { "web" })
        .text("question", question)
        .text("customer_name", &customer.name)
        .text("customer_email", &customer.email)
        .text("account", &customer.account)
        .object("fields", fields)
        .text("skill", scene.issue.skill);
    scene.drafts.push(Draft::new(scene.now, "session.requested", None, requested));
}

/// From the request to `start`: places in the queue, and how long the queue is.
fn queue(scene: &mut Scene<'_>, desk: &Desk, start: i64) {
    let name = format!("{}.{}", scene.issue.skill, scene.language);
    let waiting = start - scene.now;
    let mut position = 1 + waiting / (3 * MINUTE);
    let steps = position;
    let entered = scene.now;
    scene.wait(SECOND / 5, 2 * SECOND);
    for step in 0..steps {
        let time = (entered + waiting * step / steps).max(scene.now);
        let queued = Object::new().text("queue", &name).number("position", position).text("skill", scene.issue.skill);
        scene.drafts.push(Draft::new(time, "session.queued", None, queued));
        let measured = Object::new()
            .number("waiting", position)
            .seconds("oldest_waited", (time - entered).max(0))
            .number("agents_available", desk.available(time, scene.issue.skill));
        scene.drafts.push(Draft::new(time + 40, "queue.measured", None, measured).about(name.clone()).unattributed());
        position -= 1;
    }
}

/// Customers who give up, requests that are refused, connections that never come about.
fn not_started(scene: &mut Scene<'_>, index: u64, requested: i64, start: i64) -> bool {
    let impatient = (start - requested) > 6 * MINUTE && scene.dice.chance(350);
    let (kind, stage, reason, time) = if index % 19 == 6 || impatient || scene.dice.chance(25) {
        let time = requested + (start - requested) * scene.dice.between(40, 95) / 100;
        ("session.abandoned", "queue", scene.dice.word(&["customer_left", "window_closed", "called_by_phone"]), time)
    } else if index % 41 == 17 || scene.dice.chance(6) {
        ("session.declined", "queue", scene.dice.word(&["outside_hours", "not_entitled", "duplicate"]), start)
    } else if index % 47 == 29 || scene.dice.chance(6) {
        let reason = scene.dice.word(&["connector_blocked", "consent_refused", "network_unreachable"]);
        ("session.failed", "connecting", reason, start + 20 * SECOND)
    } else {
        return false;
    };
    // Nobody leaves before the last thing that happened to them.
    let time = scene.drafts.iter().map(|draft| draft.time).max().unwrap_or(time).max(time);
    scene.drafts.retain(|draft| draft.time <= time);
    let mut fields =
        Object::new().text("reason", reason).text("stage", stage).seconds("waited", (time - requested).max(0));
    if kind == "session.abandoned" {
        fields = fields.flag("posted", scene.dice.chance(300));
    }
    scene.drafts.push(Draft::new(time, kind, None, fields));
    true
}

/// Consents, the start, and who is there.
fn start_up(scene: &mut Scene<'_>, requested: i64, start: i64) {
    scene.now = scene.drafts.iter().map(|draft| draft.time).max().unwrap_or(start).max(start);
    let agent = &AGENTS[scene.agent];
    for what in ["recording", "remote_view"] {
        let granted = what == "recording" || scene.dice.chance(970);
        scene
            .push("consent.recorded", Object::new().text("what", what).flag("granted", granted).text("by", "customer"));
        scene.wait(300, 2_500);
    }
    let customer = &scene.customer;
    let started = Object::new()
        .text("agent_id", agent.id)
        .text("customer_id", &customer.id)
        .text("agent_name", &format!("{} {}", agent.first, agent.last))
        .text("customer_name", &customer.name)
        .text("customer_ip", &customer.ip)
        .text("platform", &format!("{} {}", customer.device.system.os, customer.device.version))
        .seconds("waited", scene.now - requested)
        .text("device_serial", &customer.device.serial);
    let customer_joined =
        Object::new().text("participant_id", &customer.id).text("role", "customer").text("name", &customer.name);
    scene.push("session.started", started);
    scene.presence(scene.agent, "in_session", 1);
    scene.wait(100, 900);
    scene.push("session.joined", customer_joined);
    scene.wait(50, 400);
    scene.joined(scene.agent);
    scene.meet(scene.agent);
}
