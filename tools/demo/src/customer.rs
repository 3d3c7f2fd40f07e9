//! A customer with account, address and device. The same seed and number always give the same customer.

use crate::data::companies::{COMPANIES, Company};
use crate::data::machines::{APPS, SYSTEMS, System};
use crate::data::people::{NAMES, plain};
use crate::json::Object;
use crate::random::Random;

/// The first random stream of customers. Those below belong to sessions.
const FIRST_STREAM: u64 = 1 << 40;

pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) first: &'static str,
    pub(crate) name: String,
    /// The name in a formal greeting.
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
    /// The installed applications and their versions: indices into [`APPS`] and its versions.
    apps: Vec<(usize, usize)>,
}

impl Customer {
    /// Customer number `number` for `seed`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, FIRST_STREAM + number);
        let weights: Vec<u32> = COMPANIES.iter().map(|company| company.weight).collect();
        let company = &COMPANIES[random.weighted(&weights)];
        let names = NAMES.iter().find(|names| names.language == company.language).unwrap_or(&NAMES[0]);
        let first_index = random.below(names.first.len() as u64) as usize;
        let (first, last) = (names.first[first_index], random.word(names.last));
        let (plain_first, plain_last) = (plain(first), plain(last));
        // Customers of different seeds must have different numbers, because they have different names.
        let number = (100 + Random::new(seed, FIRST_STREAM - 1).below(900)) * 100_000 + number;
        Self {
            id: format!("c-{number}"),
            account: format!("{}-{number}", company.prefix),
            first,
            name: format!("{first} {last}"),
            formal: format!("{} {last}", names.formal[first_index % 2]),
            email: format!("{plain_first}.{plain_last}@{}.example", company.slug),
            // Two of the blocks that RFC 5737 reserves for documentation.
            ip: format!("{}.{}", random.word(&["198.51.100", "203.0.113"]), random.between(2, 250)),
            phone: format!("+1 555 01{:02}", random.below(100)),
            company,
            device: Device::new(&mut random, company, number),
        }
    }
}

impl Device {
    fn new(random: &mut Random, company: &Company, number: u64) -> Self {
        let weights: Vec<u32> = SYSTEMS.iter().map(|system| system.weight).collect();
        let system = &SYSTEMS[random.weighted(&weights)];
        let kind = match system.os {
            "Android" => "MB",
            "Windows" if random.chance(300) => "PC",
            _ => "LT",
        };
        let serial = (0..7).map(|_| char::from(*random.pick(b"0123456789BCDFGHJKLMNPQRSTVWXZ"))).collect::<String>();
        Self {
            system,
            version: random.word(system.versions),
            cpu: random.word(system.cpus),
            model: random.word(system.models),
            hostname: format!("{}-{kind}-{number}", company.prefix),
            serial: format!("{}{serial}", system.serial),
            memory_gib: *random.pick(&[8, 8, 16, 16, 16, 32]),
            disk_gib: *random.pick(&[128, 256, 256, 512, 512, 1024]),
            free_percent: random.between(2, 70),
            apps: installed(random),
        }
    }

    /// The applications in a diagnostics report. Most are the same as in the previous report; a few have been updated or
    /// removed.
    pub(crate) fn apps(&self, random: &mut Random) -> Vec<Object> {
        let mut apps = Vec::with_capacity(self.apps.len());
        for (app, version) in &self.apps {
            let (name, versions) = &APPS[*app];
            let version = match random.weighted(&[940, 50, 10]) {
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
fn installed(random: &mut Random) -> Vec<(usize, usize)> {
    let mut apps = Vec::new();
    for (app, (_, versions)) in APPS.iter().enumerate() {
        if random.chance(500) {
            apps.push((app, random.below(versions.len() as u64) as usize));
        }
    }
    apps
}
