//! The companies that the desk works for, and their entry portals.

/// One company.
pub(crate) struct Company {
    /// First part of the portal's path and of mail addresses.
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) language: &'static str,
    /// Two letters that its machines' names begin with.
    pub(crate) prefix: &'static str,
    /// Number of its sessions, relative to the other companies.
    pub(crate) weight: u32,
    pub(crate) portals: &'static [Portal],
}

/// An entry portal and its issues.
pub(crate) struct Portal {
    pub(crate) path: &'static str,
    pub(crate) issues: &'static [&'static str],
}

#[rustfmt::skip]
pub(crate) const COMPANIES: [Company; 6] = [
    Company { slug: "acme", name: "Acme Retail", language: "en", prefix: "AC", weight: 30, portals: &[
        Portal { path: "acme", issues: &["email", "locked_account", "slow_laptop", "phone_app"] },
        Portal { path: "acme/billing", issues: &["billing", "billing", "locked_account"] },
        Portal { path: "acme/stores", issues: &["till", "till", "printer", "wifi"] },
    ] },
    Company { slug: "northwind", name: "Northwind Freight", language: "en", prefix: "NW", weight: 24, portals: &[
        Portal { path: "northwind/it", issues: &["vpn", "docking", "software_update", "shared_drive", "slow_laptop"] },
        Portal { path: "northwind/logistics", issues: &["printer", "wifi", "phone_app", "locked_account"] },
    ] },
    Company { slug: "helvetia-klinik", name: "Klinik Helvetia", language: "de", prefix: "KH", weight: 20, portals: &[
        Portal { path: "helvetia-klinik/station", issues: &["printer", "locked_account", "slow_laptop", "wifi"] },
        Portal { path: "helvetia-klinik/verwaltung", issues: &["software_update", "billing", "printer", "slow_laptop"] },
    ] },
    Company { slug: "lumiere", name: "Lumière Assurances", language: "fr", prefix: "LU", weight: 14, portals: &[
        Portal { path: "lumiere/ventes", issues: &["vpn", "email", "locked_account"] },
        Portal { path: "lumiere/siege", issues: &["printer", "billing", "email"] },
    ] },
    Company { slug: "costaverde", name: "Hoteles Costa Verde", language: "es", prefix: "CV", weight: 10, portals: &[
        Portal { path: "costaverde/recepcion", issues: &["till", "locked_account", "slow_laptop"] },
        Portal { path: "costaverde/hoteles", issues: &["wifi", "wifi", "slow_laptop"] },
    ] },
    Company { slug: "blueharbor", name: "Blue Harbor Bank", language: "en", prefix: "BH", weight: 16, portals: &[
        Portal { path: "blueharbor/branches", issues: &["printer", "docking", "software_update", "locked_account"] },
        Portal { path: "blueharbor/online", issues: &["billing", "phone_app", "locked_account"] },
    ] },
];
