//! The issues: the skill that solves them, their priorities, the titles of their tickets, and the text on the screen.

/// One issue.
pub(crate) struct Issue {
    pub(crate) key: &'static str,
    pub(crate) skill: &'static str,
    /// Weights of the priorities low, normal, high, urgent.
    pub(crate) priorities: [u32; 4],
    /// Titles by language.
    pub(crate) titles: &'static [(&'static str, &'static [&'static str])],
    /// Title of the window in recordings.
    pub(crate) window: &'static str,
    /// Lines that appear in it.
    pub(crate) screen: &'static [&'static str],
}

pub(crate) const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];

/// The issue with this key. The keys are in this crate's tables; a test checks that all exist.
pub(crate) fn issue(key: &str) -> &'static Issue {
    ISSUES.iter().find(|issue| issue.key == key).unwrap_or(&ISSUES[0])
}

#[rustfmt::skip]
pub(crate) const ISSUES: [Issue; 12] = [
    Issue { key: "printer", skill: "hardware", priorities: [20, 60, 15, 5], window: "Printers and scanners",
        titles: &[("en", &["Printer does not print", "Labels come out blank", "Print queue stuck"]), ("de", &["Drucker druckt nicht", "Papierstau ohne Papier"]), ("fr", &["Imprimante hors ligne", "File d'impression bloquée"])],
        screen: &["PRN: OFFLINE", "12 JOBS WAITING", "STOP SERVICE SPOOLER", "DELETE QUEUE", "START SERVICE SPOOLER", "DRIVER 4.2.1 INSTALLED", "PRN: READY", "TEST PAGE SENT"] },
    Issue { key: "vpn", skill: "network", priorities: [5, 50, 35, 10], window: "VPN client",
        titles: &[("en", &["VPN: authentication failed", "VPN drops every few minutes"]), ("fr", &["VPN inaccessible depuis l'extérieur", "VPN instable"])],
        screen: &["GATEWAY VPN-GW1", "CONNECTING...", "ERROR 809", "CERTIFICATE EXPIRED", "REQUEST NEW CERTIFICATE", "CERTIFICATE ISSUED", "GATEWAY VPN-GW2", "CONNECTED"] },
    Issue { key: "email", skill: "applications", priorities: [15, 65, 15, 5], window: "Mail - account settings",
        titles: &[("en", &["Outlook asks for password again and again", "No mail since this morning"]), ("fr", &["Messagerie : mot de passe redemandé", "Plus aucun message reçu"])],
        screen: &["ACCOUNT: EXCHANGE", "STATUS: PASSWORD NEEDED", "OPEN CREDENTIAL MANAGER", "REMOVE 3 ENTRIES", "STATUS: CONNECTING", "STATUS: CONNECTED", "42 NEW MESSAGES"] },
    Issue { key: "billing", skill: "billing", priorities: [25, 60, 13, 2], window: "Customer portal - invoices",
        titles: &[("en", &["Charged twice", "Card refused in portal", "Invoice missing"]), ("de", &["Falscher Rechnungsbetrag", "Rechnung doppelt"]), ("fr", &["Facture débitée deux fois", "Carte refusée"])],
        screen: &["INVOICES 2026", "AMOUNT      STATE", "129.00      PAID", "129.00      PAID TWICE", "89.50       OPEN", "OPEN PAYMENT FORM", "PAYMENT ACCEPTED", "RECEIPT SENT"] },
    Issue { key: "slow_laptop", skill: "hardware", priorities: [30, 55, 12, 3], window: "Task manager",
        titles: &[("en", &["Laptop very slow", "Start takes minutes", "Everything freezes"]), ("de", &["Rechner sehr langsam", "Visitenwagen startet langsam"]), ("es", &["Ordenador muy lento"])],
        screen: &["CPU 98%  DISK 100%", "SEARCH INDEXER   61%", "VIRUS SCANNER A  22%", "VIRUS SCANNER B  14%", "END TASK", "DELETE TEMP: 14.2 GB", "CPU 11%  DISK 3%"] },
    Issue { key: "software_update", skill: "applications", priorities: [20, 60, 17, 3], window: "Software centre",
        titles: &[("en", &["Update stops at 73 percent", "Application does not start after update"]), ("de", &["Programm startet nach Update nicht", "Update bricht ab"])],
        screen: &["DOWNLOADING...", "INSTALLING 73%", "ERROR 0X80070643", "OPEN SETUP.LOG", "REMOVE OLD COMPONENT", "INSTALLING 12%", "INSTALLING 95%", "DONE"] },
    Issue { key: "locked_account", skill: "accounts", priorities: [2, 40, 40, 18], window: "Directory - user account",
        titles: &[("en", &["Account locked", "Password expired", "Cannot log in"]), ("de", &["Konto gesperrt", "Anmeldung nicht möglich"]), ("fr", &["Compte bloqué"]), ("es", &["Cuenta bloqueada", "Contraseña olvidada"])],
        screen: &["USER FOUND", "STATE: LOCKED", "5 FAILED ATTEMPTS", "UNLOCK ACCOUNT", "SEND LINK BY SMS", "STATE: ACTIVE", "LAST LOGIN: NOW"] },
    Issue { key: "wifi", skill: "network", priorities: [10, 55, 28, 7], window: "Network status",
        titles: &[("en", &["No Wi-Fi in meeting room", "Wi-Fi without address"]), ("de", &["Kein WLAN", "WLAN im Besprechungsraum ausgefallen"]), ("es", &["Sin wifi en planta", "Huéspedes sin wifi"])],
        screen: &["ACCESS POINT AP-3-07", "NO ANSWER", "POWER CYCLE PORT 14", "BOOTING...", "ACCESS POINT UP", "17 CLIENTS"] },
    Issue { key: "phone_app", skill: "applications", priorities: [30, 58, 10, 2], window: "Device management",
        titles: &[("en", &["App shows empty inbox", "New phone, authenticator gone", "App crashes"])],
        screen: &["DEVICE NOT ENROLLED", "SEND ENROLMENT CODE", "CODE ACCEPTED", "WORK PROFILE: CREATING", "POLICY: APPLIED", "DEVICE COMPLIANT"] },
    Issue { key: "docking", skill: "hardware", priorities: [25, 60, 14, 1], window: "Display settings",
        titles: &[("en", &["Second monitor stays black", "Docking station not recognised"])],
        screen: &["DISPLAY 1: 1920 + 1200", "DISPLAY 2: NOT FOUND", "DOCK FIRMWARE 1.0.8", "UPDATING FIRMWARE 10%", "UPDATING FIRMWARE 80%", "DOCK RESTARTED", "DISPLAY 2: FOUND"] },
    Issue { key: "shared_drive", skill: "network", priorities: [12, 60, 22, 6], window: "File server - previous versions",
        titles: &[("en", &["Folder disappeared", "Access denied on shared drive"])],
        screen: &["S:\\PROJECTS", "FOLDER NOT FOUND", "PREVIOUS VERSIONS", "YESTERDAY 22:00", "RESTORE", "318 FILES RESTORED"] },
    Issue { key: "till", skill: "applications", priorities: [0, 20, 50, 30], window: "Point of sale",
        titles: &[("en", &["Till frozen during sale", "Card terminal offline"]), ("es", &["Caja bloqueada", "Terminal de tarjetas sin conexión"])],
        screen: &["SALE 20417", "WAITING FOR TERMINAL", "TERMINAL: NO CONNECTION", "RESTART SERVICE", "TERMINAL: READY", "PAYMENT BOOKED ONCE", "RECEIPT PRINTED"] },
];
