//! Devices and their software.

/// An operating system as diagnostics report it.
pub(crate) struct System {
    pub(crate) os: &'static str,
    pub(crate) versions: &'static [&'static str],
    pub(crate) cpus: &'static [&'static str],
    pub(crate) models: &'static [&'static str],
    /// Prefix of the serial numbers.
    pub(crate) serial: &'static str,
    pub(crate) disk: &'static str,
    pub(crate) services: &'static [&'static str],
    pub(crate) weight: u32,
}

#[rustfmt::skip]
pub(crate) const SYSTEMS: [System; 4] = [
    System { os: "Windows", versions: &["10.0.19045.5011", "10.0.22631.4460", "10.0.26100.2314"], cpus: &["Intel Core i5-1245U", "Intel Core i7-1365U", "AMD Ryzen 5 PRO 6650U"], models: &["Latitude 5440", "ThinkPad T14 Gen 4", "EliteBook 840 G10"], serial: "5CG", disk: "C:", services: &["Spooler", "WSearch", "WinDefend", "BITS", "Dnscache"], weight: 70 },
    System { os: "macOS", versions: &["14.7.1", "15.1", "15.1.1"], cpus: &["Apple M1", "Apple M2", "Apple M3 Pro"], models: &["MacBook Air", "MacBook Pro 14"], serial: "C02", disk: "/", services: &["com.apple.cups", "com.apple.mdmclient", "com.apple.mdworker"], weight: 14 },
    System { os: "Ubuntu", versions: &["22.04.5", "24.04.1"], cpus: &["Intel Core i5-1340P", "AMD Ryzen 7 7840U"], models: &["ThinkPad X13", "XPS 13"], serial: "PF3", disk: "/", services: &["cups", "NetworkManager", "sssd", "snapd"], weight: 6 },
    System { os: "Android", versions: &["13", "14", "15"], cpus: &["Exynos 1380", "Tensor G3"], models: &["Galaxy XCover 7", "Pixel 8"], serial: "R5C", disk: "/data", services: &["com.example.workprofile", "com.google.android.gms"], weight: 10 },
];

/// Applications with versions, old to new.
pub(crate) const APPS: [(&str, &[&str]); 14] = [
    ("Outlook", &["16.0.17928", "16.0.18025", "16.0.18129"]),
    ("Teams", &["24257.205", "24277.3502", "24295.605"]),
    ("Chrome", &["129.0.6668.100", "130.0.6723.117", "131.0.6778.70"]),
    ("Firefox", &["128.4.0", "131.0.3", "132.0.2"]),
    ("Acrobat", &["24.003.20180", "24.004.20272"]),
    ("AnyConnect", &["4.10.08029", "5.1.4.74", "5.1.6.103"]),
    ("7-Zip", &["23.01", "24.08"]),
    ("SAP GUI", &["7.70.14", "8.00.7"]),
    ("KeePassXC", &["2.7.8", "2.7.9"]),
    ("Zoom", &["6.1.11", "6.2.5", "6.2.7"]),
    ("DocuScan", &["3.4.0", "3.5.2", "3.6.0"]),
    ("OrderDesk", &["11.2", "11.4", "12.0"]),
    ("LibreOffice", &["7.6.7", "24.2.6", "24.8.3"]),
    ("Defender", &["4.18.24080", "4.18.24090"]),
];

pub(crate) const PHONES: [&str; 5] = ["Galaxy XCover 7", "Pixel 8", "iPhone 13", "iPhone 15", "Fairphone 5"];
pub(crate) const ROOMS: [&str; 5] = ["Aurora", "2.14", "Matterhorn", "B-07", "Atlantic"];
pub(crate) const FOLDERS: [&str; 5] = ["Offers 2026", "Project Heron", "Budget", "Claims-Q3", "Handbook"];
/// Card numbers that payment companies publish for tests; no bank issued them.
pub(crate) const TEST_CARDS: [&str; 4] =
    ["4111 1111 1111 1111", "5555 5555 5555 4444", "4012 8888 8888 1881", "3782 822463 10005"];
