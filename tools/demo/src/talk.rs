//! The events of a session between its start and its end: lines of chat, and the actions between them.

use crate::clock::{MINUTE, SECOND};
use crate::data::agents::AGENTS;
use crate::dialogue::{Speaker, Step, When, fill};
use crate::event::Draft;
use crate::hash;
use crate::json::Object;
use crate::simulation::Simulation;

impl Simulation<'_> {
    /// Makes `agent` the current agent, also in the texts.
    pub(crate) fn assign(&mut self, agent: usize) {
        self.agent = agent;
        if let Some((_, value)) = self.placeholders.iter_mut().find(|(name, _)| *name == "agent") {
            AGENTS[agent].first.clone_into(value);
        }
    }

    pub(crate) fn joined(&mut self, agent: usize) {
        let person = &AGENTS[agent];
        let fields = Object::new()
            .text("participant_id", person.id)
            .text("role", "agent")
            .text("name", &format!("{} {}", person.first, person.last));
        self.push("session.joined", fields);
    }

    pub(crate) fn presence(&mut self, agent: usize, state: &str, sessions: i64) {
        let fields = Object::new().text("state", state).number("sessions", sessions);
        let draft = Draft::new(self.now, "agent.presence", Some(agent), fields);
        self.drafts.push(draft.about(AGENTS[agent].id.to_owned()).unattributed());
    }

    /// Simulates the steps of a dialogue. The customer's first line is `question`, unless it is empty.
    pub(crate) fn talk(&mut self, steps: &[Step], question: &str) {
        if !question.is_empty() {
            self.greet();
        }
        let mut question = Some(question).filter(|question| !question.is_empty());
        for step in steps {
            match step {
                Step::Line { speaker, when, variants } => {
                    let left_out = match when {
                        When::Always => false,
                        When::Sometimes => self.random.chance(450),
                        When::ActionHappened => !self.action_happened,
                    };
                    if left_out {
                        continue;
                    }
                    let text = match question.take() {
                        Some(question) => question.to_owned(),
                        None => fill(self.random.word(variants), &self.placeholders),
                    };
                    self.say(*speaker, &text);
                }
                Step::Action(name, argument) => self.act(name, argument),
            }
        }
    }

    pub(crate) fn greet(&mut self) {
        let polite = self.random.chance(AGENTS[self.agent].polite);
        self.phrase(Speaker::Agent, if polite { "greeting" } else { "greeting curt" });
    }

    fn phrase(&mut self, speaker: Speaker, purpose: &str) {
        let phrase = self.run.library.phrase(&mut self.random, self.language, purpose);
        if !phrase.is_empty() {
            let text = fill(phrase, &self.placeholders);
            self.say(speaker, &text);
        }
    }

    /// A line of chat, after the time for reading and typing. Returns its `seq`.
    pub(crate) fn say(&mut self, speaker: Speaker, text: &str) -> i64 {
        let characters = text.chars().count() as i64;
        let typing = match speaker {
            Speaker::Customer => 3 * SECOND + characters * 170,
            Speaker::Agent => (3 * SECOND + characters * 120) * AGENTS[self.agent].pace / 100,
        };
        // Reading and thinking take longer than typing.
        self.wait(typing, typing * 7 / 2);
        let (sender, participant) = match speaker {
            Speaker::Customer => ("customer", self.customer.id.clone()),
            Speaker::Agent => ("agent", AGENTS[self.agent].id.to_owned()),
        };
        self.line(sender, Some(&participant), "all", text)
    }

    fn line(&mut self, sender: &str, participant: Option<&str>, visibility: &str, text: &str) -> i64 {
        let seq = self.lines;
        self.lines += 1;
        let fields = Object::new()
            .number("seq", seq)
            .text("sender", sender)
            .text("text", text)
            .maybe("participant_id", participant)
            .text("visibility", visibility)
            .text("lang", self.language);
        self.push("chat.line", fields);
        seq
    }

    fn act(&mut self, name: &str, argument: &'static str) {
        self.action_happened = match name {
            "lost" => self.random.chance(550),
            "card" => self.random.chance(500),
            _ => true,
        };
        match name {
            "control" => self.take_control(),
            "diagnostics" => self.diagnose(argument),
            "file" => self.exchange_file(argument),
            "reboot" => self.reboot(),
            "lost" if self.action_happened => self.lose_connection(),
            "card" if self.action_happened => self.show_card(argument),
            "url" => self.share("url.pushed", argument),
            "clipboard" => self.share("clipboard.shared", argument),
            "transfer" => self.transfer(argument),
            _ => {}
        }
    }

    fn take_control(&mut self) {
        let agent = AGENTS[self.agent].id;
        self.wait(4 * SECOND, 25 * SECOND);
        let granted = self.random.chance(940);
        let consent = Object::new().text("what", "remote_control").flag("granted", granted).text("by", "customer");
        self.push("consent.recorded", consent);
        self.wait(200, 1_500);
        self.push("control.viewed", Object::new().text("participant_id", agent).texts("permissions", ["view"]));
        if granted {
            self.wait(SECOND, 5 * SECOND);
            let permissions = ["view", "keyboard", "mouse", "clipboard", "files"];
            self.push("control.granted", Object::new().text("participant_id", agent).texts("permissions", permissions));
            self.control_since = Some(self.now);
        }
        if self.random.chance(60) {
            self.wait(5 * SECOND, 20 * SECOND);
            let content =
                Object::new().text("shape", "arrow").number("x", self.random.between(0, 1919)).number("y", 412);
            self.push("whiteboard.drawn", Object::new().object("content", content));
        }
    }

    fn diagnose(&mut self, kind: &str) {
        self.wait(3 * SECOND, 20 * SECOND);
        let device = &self.customer.device;
        let apps = device.apps(&mut self.random);
        let uptime = self.random.between(1, 900) * MINUTE;
        let report = Object::new()
            .text("model", device.model)
            .seconds("uptime", uptime)
            .number("pending_updates", self.random.between(0, 6))
            .text(
                "last_error",
                self.random.word(&["none", "0x80070643", "Event 1001", "disk latency 812 ms", "EAP failure"]),
            )
            .text("user", &self.customer.email);
        let fields = Object::new()
            .text("kind", kind)
            .text("hostname", &device.hostname)
            .text("os", device.system.os)
            .text("os_version", device.version)
            .text("cpu", device.cpu())
            .number("memory", device.memory())
            .objects("disks", [device.disk()])
            .objects("apps", apps)
            .texts("services", device.system.services.iter().copied())
            .text("device_serial", &device.serial)
            .object("report", report);
        self.push("diagnostics.collected", fields);
    }

    fn exchange_file(&mut self, rest: &'static str) {
        let (direction, template) = rest.split_once(' ').unwrap_or(("sent", rest));
        let name = fill(template, &self.placeholders);
        self.wait(4 * SECOND, 30 * SECOND);
        let size = self.random.mostly_small(2_000, 48_000_000);
        let (media_type, path) = match name.rsplit('.').next() {
            Some("pdf") => ("application/pdf", "Downloads"),
            Some("zip") => ("application/zip", "Downloads"),
            Some("exe" | "msi") => ("application/octet-stream", "Downloads"),
            Some("csv") => ("text/csv", "Desktop"),
            _ => ("text/plain", "AppData\\Local\\Temp"),
        };
        let digest = hash(format!("{name} {size}").as_bytes());
        let fields = Object::new()
            .text("name", &name)
            .number("size", size)
            .text("sha256", &digest)
            .text("media_type", media_type)
            .text("path", &format!("C:\\Users\\{}\\{path}\\{name}", self.customer.first));
        self.push(if direction == "received" { "file.received" } else { "file.sent" }, fields);
    }

    fn reboot(&mut self) {
        self.wait(2 * SECOND, 10 * SECOND);
        let safe_mode = self.random.chance(80);
        self.push("reboot.requested", Object::new().text("cause", "agent").flag("safe_mode", safe_mode));
        self.wait(SECOND, 3 * SECOND);
        self.push("session.paused", Object::new().text("reason", "reboot"));
        self.gap("reboot", 35 * SECOND, 150 * SECOND);
        self.wait(200, 900);
        self.push("session.resumed", Object::new().text("reason", "reboot"));
    }

    fn lose_connection(&mut self) {
        self.wait(2 * SECOND, 20 * SECOND);
        self.gap("network", 4 * SECOND, 70 * SECOND);
        self.line("system", None, "all", "Connection restored.");
    }

    fn gap(&mut self, cause: &str, low: i64, high: i64) {
        self.push("connection.lost", Object::new().text("cause", cause));
        let lost = self.now;
        self.wait(low, high);
        self.push("connection.restored", Object::new().text("cause", cause).seconds("gap", self.now - lost));
    }

    /// The customer types a card number. It is redacted, and the recording is paused meanwhile.
    fn show_card(&mut self, template: &str) {
        let text = fill(template, &self.placeholders);
        let seq = self.say(Speaker::Customer, &text);
        let shown = self.now;
        self.wait(SECOND, 6 * SECOND);
        let by = if self.random.chance(700) { "system" } else { AGENTS[self.agent].id };
        self.push("chat.redacted", Object::new().number("seq", seq).text("by", by).text("reason", "pci"));
        self.card = Some((shown, self.now));
    }

    fn share(&mut self, kind: &'static str, template: &str) {
        let content = fill(template, &self.placeholders);
        self.wait(2 * SECOND, 9 * SECOND);
        self.push(kind, Object::new().text("content", &content));
    }

    pub(crate) fn transfer(&mut self, note: &str) {
        let (from, to) = (self.agent, self.colleague);
        if from == to {
            return;
        }
        let note = fill(note, &self.placeholders);
        self.wait(10 * SECOND, MINUTE);
        let fields = Object::new()
            .text("from_agent", AGENTS[from].id)
            .text("to_agent", AGENTS[to].id)
            .text("reason", "expertise")
            .text("note", &note);
        self.push("session.transferred", fields);
        self.wait(5 * SECOND, 40 * SECOND);
        self.assign(to);
        self.presence(to, "in_session", 1);
        self.joined(to);
        self.wait(SECOND, 8 * SECOND);
        let person = &AGENTS[from];
        let left = Object::new()
            .text("participant_id", person.id)
            .text("role", "agent")
            .text("name", &format!("{} {}", person.first, person.last));
        self.push("session.left", left);
        self.presence(from, "available", 0);
    }

    /// Farewells, internal lines between agents, and the end of remote control.
    pub(crate) fn wind_up(&mut self, resolved: bool) {
        let polite = self.random.chance(AGENTS[self.agent].polite);
        if self.random.chance(120) {
            let phrase = self.run.library.phrase(&mut self.random, self.language, "internal");
            self.wait(SECOND, 9 * SECOND);
            self.line("agent", Some(AGENTS[self.agent].id), "agents", phrase);
        }
        self.phrase(Speaker::Agent, if polite { "farewell" } else { "farewell curt" });
        if resolved || self.random.chance(500) {
            self.phrase(Speaker::Customer, "thanks");
        }
        if self.control_since.is_some() {
            self.wait(SECOND, 9 * SECOND);
            self.push("control.released", Object::new().text("participant_id", AGENTS[self.agent].id));
        }
    }
}
