//! Names of customers by language, and their formal forms of address.

/// First names, last names and formal forms of address (by first name's parity) of a language.
pub(crate) struct Names {
    pub(crate) language: &'static str,
    /// Women's names at even places, men's at odd ones.
    pub(crate) first: &'static [&'static str],
    pub(crate) last: &'static [&'static str],
    pub(crate) formal: [&'static str; 2],
}

#[rustfmt::skip]
pub(crate) const NAMES: [Names; 4] = [
    Names { language: "en", formal: ["Ms.", "Mr."],
        first: &["Emily", "James", "Grace", "Daniel", "Aisha", "Liam", "Chloe", "Samuel", "Ruth", "Owen", "Naomi", "Patrick", "Zoe", "Victor", "Amara", "Henry", "Leah", "Dev", "Fiona", "Marcus"],
        last: &["Carter", "Nguyen", "O'Brien", "Patel", "Walsh", "Johnson", "Osei", "Fletcher", "Kim", "Murphy", "Hughes", "Singh", "Barnes", "Lopez", "Ward", "Adeyemi", "Clarke", "Novak", "Reid", "Thompson"] },
    Names { language: "de", formal: ["Frau", "Herr"],
        first: &["Anna", "Lukas", "Katharina", "Jürgen", "Sabine", "Felix", "Monika", "Stefan", "Lea", "Matthias", "Ursula", "Jonas", "Elif", "Reto", "Heike", "Urs"],
        last: &["Müller", "Schneider", "Weber", "Zimmermann", "Huber", "Keller", "Baumann", "Şahin", "Vogt", "Schäfer", "Meier", "Brunner", "Hofmann", "Graf"] },
    Names { language: "fr", formal: ["Madame", "Monsieur"],
        first: &["Camille", "Louis", "Élodie", "Mathieu", "Nadia", "François", "Chloé", "Thierry", "Inès", "Yann", "Hélène", "Omar"],
        last: &["Lefèvre", "Garnier", "Diallo", "Rousseau", "Chevalier", "Bernard", "Petit", "Nguyen", "Fontaine", "Marchand"] },
    Names { language: "es", formal: ["Sra.", "Sr."],
        first: &["Lucía", "Javier", "Carmen", "Íñigo", "Marta", "Pablo", "Elena", "Raúl", "Nuria", "Andrés"],
        last: &["García", "Muñoz", "Fernández", "Ibáñez", "Ortega", "Vidal", "Castaño", "Romero", "Peña", "Serrano"] },
];

/// A name as in a mail address: lower case, without accents and punctuation.
pub(crate) fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' => out.push(character),
            'ä' => out.push_str("ae"),
            'ö' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'á' | 'à' | 'â' => out.push('a'),
            'é' | 'è' | 'ê' => out.push('e'),
            'í' | 'î' => out.push('i'),
            'ó' | 'ô' => out.push('o'),
            'ú' => out.push('u'),
            'ñ' => out.push('n'),
            'ç' => out.push('c'),
            'ş' => out.push('s'),
            _ => {}
        }
    }
    out
}
