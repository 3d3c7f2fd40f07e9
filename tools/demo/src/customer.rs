//! A customer with account, address and device: the same one whenever the same number is asked for.

use crate::data::companies::{COMPANIES, Company};
use crate::data::machines::{APPS, SYSTEMS, System};
use crate::data::people::{NAMES, plain};
use crate::dice::Dice;
use crate::json::Object;

/// Streams from here on belong to customers, those below to sessions.
const FIRST_STREAM: u64 = 1 << 40;

pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) first: &'static str,
    pub(crate) name: String,
    /// As a formal greeting has it.
    pub(crate) formal: String,
    pub(crate) email: String,
    pub(crate) ip: String,
    pub(crate) phone: String,
    pub(crate) company: &'static Company,
    pub(crate) device: Device,
}

pub(crate) struct Device {
    pub(crate) system: &'static System,
    pub(crate) version: &'static str,
    cpu: &'static str,
    pub(crate) model: &'static str,
    pub(crate) hostname: String,
    pub(crate) serial: String,
    memory_gib: i64,
    disk_gib: i64,
    free_percent: i64,
    /// What is installed, and in which version: indices into [`APPS`] and its versions.
    apps: Vec<(usize, usize)>,
}

impl Customer {
    /// Customer number `number` of the world that `seed` makes.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, FIRST_STREAM + number);
        let weights: Vec<u32> = COMPANIES.iter().map(|company| company.weight).collect();
        let company = &COMPANIES[dice.weighted(&weights)];
        let names = NAMES.iter().find(|names| names.language == company.language).unwrap_or(&NAMES[0]);
        let first_index = dice.below(names.first.len() as u64) as usize;
        let (first, last) = (names.first[first_index], dice.word(names.last));
        let (plain_first, plain_last) = (plain(first), plain(last));
        // Another seed is another world: its customers must not look like other names of these.
        let number = (100 + Dice::new(seed, FIRST_STREAM - 1).below(900)) * 100_000 + number;
        Self {
            id: format!("c-{number}"),
            account: format!("{}-{number}", company.prefix),
            first,
            name: format!("{first} {last}"),
            formal: format!("{} {last}", names.formal[first_index % 2]),
            email: format!("{plain_first}.{plain_last}@{}.example", company.slug),
            // The two blocks that RFC 5737 keeps for documentation.
            ip: format!("{}.{}", dice.word(&["198.51.100", "203.0.113"]), dice.between(2, 250)),
            phone: format!("+1 555 01{:02}", dice.below(100)),
            company,
            device: Device::new(&mut dice, company, number),
        }
    }
}

impl Device {
    fn new(dice: &mut Dice, company: &Company, number: u64) -> Self {
        let weights: Vec<u32> = SYSTEMS.iter().map(|system| system.weight).collect();
        let system = &SYSTEMS[dice.weighted(&weights)];
        let kind = match system.os {
            "Android" => "MB",
            "Windows" if dice.chance(300) => "PC",
            _ => "LT",
        };
        let serial = (0..7).map(|_| char::from(*dice.pick(b"0123456789BCDFGHJKLMNPQRSTVWXZ"))).collect::<String>();
        Self {
            system,
            version: dice.word(system.versions),
            cpu: dice.word(system.cpus),
            model: dice.word(system.models),
            hostname: format!("{}-{kind}-{number}", company.prefix),
            serial: format!("{}{serial}", system.serial),
            memory_gib: *dice.pick(&[8, 8, 16, 16, 16, 32]),
            disk_gib: *dice.pick(&[128, 256, 256, 512, 512, 1024]),
            free_percent: dice.between(2, 70),
            apps: installed(dice),
        }
    }

    /// The applications as a report lists them. Most are what they were the last time; now and then one has been updated
    /// or removed.
    pub(crate) fn apps(&self, dice: &mut Dice) -> Vec<Object> {
        let mut apps = Vec::with_capacity(self.apps.len());
        for (app, version) in &self.apps {
            let (name, versions) = &APPS[*app];
            let version = match dice.weighted(&[940, 50, 10]) {
                0 => *version,
                1 => (version + 1).min(versions.len() - 1),
                _ => continue,
            };
            apps.push(Object::new().text("name", name).text("version", versions[version]));
        }
        apps
    }

    pub(crate) fn memory(&self) -> i64 {
        self.memory_gib << 30
    }

    pub(crate) fn cpu(&self) -> &'static str {
        self.cpu
    }

    pub(crate) fn disk(&self) -> Object {
        let size = self.disk_gib << 30;
        Object::new().text("name", self.system.disk).number("size", size).number("free", size / 100 * self.free_percent)
    }
}

/// About half of the applications, each in some version.
fn installed(dice: &mut Dice) -> Vec<(usize, usize)> {
    let mut apps = Vec::new();
    for (app, (_, versions)) in APPS.iter().enumerate() {
        if dice.chance(500) {
            apps.push((app, dice.below(versions.len() as u64) as usize));
        }
    }
    apps
}
